"""From the raw file of CDNOW's purchases to AUROC and log loss of what came: python tests/example_cdnow.py FILE"""

# ruff: noqa: T201  an example shows what it finds
import sys
import tempfile
from datetime import UTC, datetime

from training.notebook import build_examples, evaluate, fit_candidates, outcomes, predict, read_log

T = datetime(1998, 4, 1, tzinfo=UTC)  # who will not buy in the 90 days from here on?

with tempfile.TemporaryDirectory() as folder:
    log = read_log(sys.argv[1], folder, mapping="cdnow")
    examples = build_examples(log, T)  # nothing at or after T is read
    judged = fit_candidates(examples)
    print(f"{judged.winner} of {', '.join(judged.losses)} wins on the newest finished horizon")
    scores = predict(log, examples, judged, T)
    y = outcomes(log, examples, T, scores["customer_id"])  # from here on the future is known
    table = evaluate(y, {"the winner": scores["churn_probability"]})
    for row in table.to_pylist():
        if row["measure"] in ("auroc", "log_loss"):
            print(f"{row['measure']} {row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}], {row['rows']} customers")
