"""One known log, judged from outside: who of CDNOW's customers bought nothing in the 90 days after 1 April 1998?

Only purchases before that day are imported. The judge reads the raw file, nothing of ours. `make test` asks of one
customer in five, whose AUROC has twice the sampling error; `make soak` of all.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from records.events import EventLog
from records.importing import import_events
from records.mapping import load_mapping
from training.evaluation import auroc, log_loss
from training.labels import ChurnOptions, IssueOptions, TrainingOptions, eligible
from training.registry import Registry
from training.train import train

T = date(1998, 4, 1)
AS_OF = datetime(1998, 4, 1, tzinfo=UTC)


def purchases(folder: Path, one_in: int) -> list[tuple[str, date, str]]:
    """Customer, day and raw line of each purchase of one customer in so many."""
    lines = (folder / "cdnow" / "CDNOW_master.txt").read_text().splitlines()[1:]
    fields = [(line.split(), line) for line in lines if int(line.split()[0]) % one_in == 0]
    return [(words[0], datetime.strptime(words[1] + "Z", "%Y%m%d%z").date(), line) for words, line in fields]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one_in", "customers", "ranked", "surprise"),
    [(5, 1_241, 0.69, 0.61), pytest.param(1, 6_055, 0.730, 0.580, marks=pytest.mark.soak)],
)
def test_scores_all_customers_and_knows_who_will_not_buy(
    shared_data: Path, tmp_path: Path, now: datetime, one_in: int, customers: int, ranked: float, surprise: float
) -> None:
    bought = purchases(shared_data, one_in)
    header = (shared_data / "cdnow" / "CDNOW_master.txt").read_text().splitlines()[0]
    before = tmp_path / "before.txt"
    before.write_text("\n".join([header, *(line for _, day, line in bought if day < T)]) + "\n")
    log = EventLog(tmp_path / "data")
    report = import_events(log, [before], load_mapping("cdnow"), now, tmp_path / "quarantine")
    assert (report.accepted, report.duplicates, report.rejected) == (sum(day < T for _, day, _ in bought), 0, 0)

    churn = ChurnOptions(activity=["order_completed"], horizon_days=90, active_within_days=180)
    result = train(log, AS_OF, churn, IssueOptions(), TrainingOptions(), tmp_path / "mlruns", now)
    model = Registry(tmp_path / "mlruns").load("champion")
    people = eligible(log, [AS_OF], churn)[AS_OF]
    table = model.signals(log, AS_OF, people)
    scores = dict(zip(table.column("customer_id").to_pylist(), model.predict(table), strict=True))

    alive = {who for who, day, _ in bought if T - timedelta(days=180) <= day < T}
    again = {who for who, day, _ in bought if T <= day < T + timedelta(days=90)}
    assert set(scores) == alive
    assert len(alive) == customers
    order = sorted(alive)
    y = np.array([float(who not in again) for who in order])
    p = np.array([scores[who] for who in order])
    found = f"AUROC {auroc(y, p):.4f}, log loss {log_loss(y, p):.4f}, {result.winner}"
    assert auroc(y, p) >= ranked, found
    assert log_loss(y, p) <= surprise, found
