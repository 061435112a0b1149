"""The command `pehle`: which commands there are. What each does is in `serving.commands`.

Exit codes: 0 done, 1 refused or failed with one line that says why and what to do, 2 the command was written wrongly.
"""

from __future__ import annotations

import sys

import typer

from records.errors import PehleError
from serving.commands import data, demo, explaining, models, outreach, own_tables, service, versions
from serving.commands.shared_options import HomeOption, choose_home, harmless, tell

app = typer.Typer(
    help="Pehle: knows beforehand which customers are about to leave or to hit a problem, and helps before they do.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def everything(home: HomeOption = None) -> None:
    """Take the options that stand before a command's name."""
    choose_home(home)


app.command("demo")(demo.demo)
app.add_typer(own_tables.imports, name="import")  # with the commands of `data`
app.add_typer(data.features, name="features")
app.command("train")(models.train)
app.command("backtest")(models.backtest)
app.add_typer(versions.models, name="models")
app.command("score")(models.score)
app.command("plan")(outreach.plan)
app.add_typer(outreach.review, name="review")
app.command("send")(outreach.send)
app.command("results")(outreach.results)
app.command("explain")(explaining.explain)
app.add_typer(outreach.words, name="words")
app.command("serve")(service.serve)
app.command("work")(service.work)
app.command("up")(service.up)
app.command("status")(service.status)
app.command("signin")(service.signin)


def main() -> None:
    """Run the command line; errors a person can mend become one line on stderr and exit 1."""
    try:
        app()
    except PehleError as error:
        tell(f"pehle: {harmless(str(error))}")
        sys.exit(1)
    except OSError as error:  # the disk is full, a folder may not be written, the reader of a pipe went away
        if not isinstance(error, BrokenPipeError):
            said = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
            tell(f"pehle: {said}. Check the disk and the rights.")
        sys.exit(1)
    except Exception as error:
        import duckdb  # not before: half of the commands start without it

        if not isinstance(error, duckdb.OutOfMemoryException | duckdb.IOException):
            raise
        if "No space left on device" in str(error):
            tell("pehle: The disk is full. Free some of it and run the command again: what was there is whole.")
        else:
            said = str(error).partition("\n")[0].rstrip(".")
            tell(f"pehle: {harmless(said)}. This needs more room in memory, or for temporary files in the home.")
        sys.exit(1)


if __name__ == "__main__":
    main()
