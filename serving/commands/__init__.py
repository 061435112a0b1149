"""The commands of `pehle`, one file per door. Nothing heavy is imported before a command runs."""
