"""The Pareto front weighs what the search weighed, or what a reader would."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import make_fields, make_report, make_search

from gatewright.errors import InputError
from gatewright.report.pareto import tradeoffs
from gatewright.report.schema import Report, SweepReport


def make_row(name, *, failed=False, **figures):
    """A report with these figures."""
    fields = make_fields(name, mismatches=2 if failed else 0)
    for key, value in figures.items():
        if key == "accuracy":
            fields["accuracy"]["rtl"] = fields["accuracy"]["quantized"] = value
        elif key in ("ii", "clock_ns", "latency_max"):
            fields["timing"][key] = value
        else:
            fields["resources"]["xcup"][key] = value
    fields["timing"] |= {"latency_min": None, "latency_predicted": None}
    return Report.model_validate(fields)


def make_rows(rows, search=None):
    reports = [make_row(f"c{i}", **row) for i, row in enumerate(rows)]
    return SweepReport(reports=tuple(reports), search=search)


def points(*pairs, failed=()):
    """A sweep with these (LUTs, accuracy)."""
    return make_rows(
        [
            {"lut": lut, "accuracy": accuracy, "failed": i in failed}
            for i, (lut, accuracy) in enumerate(pairs)
        ]
    )


def test_pareto_front():
    sweep = points((100, 0.9), (50, 0.8), (100, 0.8), (200, 0.95), (60, 0.8), (50, 0.8))
    (trade,) = tradeoffs(sweep)
    assert trade.front == trade.edge == {0, 1, 3, 5}
    assert [column.name for column in trade.weighed] == ["accuracy", "xcup.lut"]


def test_a_failed_or_unknown_configuration_is_not_on_the_front():
    sweep = points((100, 0.9), (10, 0.99), (None, 0.999), (90, None), failed=(1,))
    (trade,) = tradeoffs(sweep)
    assert trade.front == {0}


def test_the_trade_falls_back_to_quantized_accuracy_and_to_cell_area():
    fields = make_fields()
    fields["accuracy"]["rtl"] = None
    fields["resources"]["xcup"] = {"area_um2": 1234.5}
    (trade,) = tradeoffs(SweepReport(reports=(Report.model_validate(fields),)))
    assert (trade.score.name, trade.area.name) == ("accuracy_quantized", "xcup.area")
    assert not tradeoffs(SweepReport(reports=(make_report(targets=()),)))


def test_a_slower_but_smaller_and_a_faster_but_bigger_design_are_both_on_the_front():
    rows = [
        {"accuracy": 0.9, "lut": 900, "dsp": 0, "ii": 1},
        {"accuracy": 0.9, "lut": 300, "dsp": 0, "ii": 64},
        {"accuracy": 0.9, "lut": 300, "dsp": 0, "ii": 65},
        {"accuracy": 0.9, "lut": 250, "dsp": 9, "ii": 1},
    ]
    (trade,) = tradeoffs(make_rows(rows))
    assert trade.front == {0, 1, 3}
    assert trade.edge == {3}
    assert [column.name for column in trade.weighed] == ["accuracy", "xcup.lut", "xcup.dsp", "ii"]
    assert trade.explain(None).startswith("The front weighs accuracy, LUT, DSP and II. ")


def test_intervals_in_cycles_of_different_clocks_are_not_compared():
    fast, slow = {"ii": 2, "clock_ns": 2.0}, {"ii": 1, "clock_ns": 5.0}
    same = {"accuracy": 0.9, "lut": 100, "dsp": 0}
    (trade,) = tradeoffs(make_rows([same | fast, same | slow]))
    assert trade.front == {0}
    assert trade.weighed[-1].name == "fps"


def test_what_some_do_not_know_is_not_weighed_and_said():
    same = {"accuracy": 0.9, "dsp": 0}
    rows = [same | {"lut": 100, "bram": 4.0}, same | {"lut": 200}, same | {"lut": 300, "bram": 1.0}]
    (trade,) = tradeoffs(make_rows(rows))
    assert trade.front == {0}
    assert "unknown for some configurations: BRAM." in trade.explain(None)


def test_a_search_is_judged_by_its_objectives_and_constraints():
    same = {"accuracy": 0.9, "dsp": 0}
    rows = [
        same | {"lut": 100, "latency_max": 9, "ii": 9},
        same | {"lut": 300, "latency_max": 5, "ii": 9},
        same | {"lut": 50, "latency_max": 11, "ii": 1},
        same | {"lut": 200, "latency_max": 9, "ii": 1},
        same | {"lut": 400, "latency_max": None},
    ]
    search = make_search(objectives=["lut", "latency_ns"], constraints=["latency<=10"])
    (trade,) = tradeoffs(make_rows(rows, search))
    assert trade.front == {0, 1}
    assert trade.explain(search) == (
        "The front weighs LUT and latency in ns, the objectives of the search. On it is each "
        "configuration unless another is as good in all and better in one. A configuration that "
        "failed verification or that misses a constraint (latency<=10) is never on it."
    )


def test_objectives_on_several_targets():
    def report(name, xcup, xc7):
        fields = make_fields(name, targets=("xcup", "xc7"))
        fields["resources"]["xcup"]["lut"], fields["resources"]["xc7"]["lut"] = xcup, xc7
        return Report.model_validate(fields)

    reports = report("a", 1, 4), report("b", 2, 3)
    on_each = SweepReport(reports=reports, search=make_search(objectives=["lut"], constraints=[]))
    assert {t.target: t.front for t in tradeoffs(on_each)} == {"xcup": {0}, "xc7": {1}}
    on_one = on_each.model_copy(
        update={"search": make_search(objectives=["xc7.lut"], constraints=[])}
    )
    assert [trade.front for trade in tradeoffs(on_one)] == [{1}, {1}]
    texts = {trade.target: trade.explain(on_one.search) for trade in tradeoffs(on_one)}
    assert "weighs LUT on xc7," in texts["xcup"]
    assert "weighs LUT," in texts["xc7"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"objectives": ["luts"]}, "no figure 'luts'"),
        ({"constraints": ["latency"]}, "budget 'latency'"),
    ],
)
def test_a_search_for_what_is_no_figure(fields, message):
    with pytest.raises(InputError, match=message):
        tradeoffs(make_rows([{}], make_search(**fields)))


OBJECTIVES = {"accuracy": "maximize", "lut": "minimize", "latency": "minimize", "fps": "maximize"}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_front_is_the_one_that_optuna_finds(data):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    few = st.integers(1, 4)
    rows = data.draw(
        st.lists(st.fixed_dictionaries({"accuracy": few.map(lambda n: n / 8), "lut": few,
                                        "latency_max": few, "ii": few}), min_size=1, max_size=12)
    )  # fmt: skip
    names = data.draw(st.lists(st.sampled_from(list(OBJECTIVES)), min_size=1, unique=True))
    search = make_search(objectives=names, constraints=[])
    (trade,) = tradeoffs(make_rows(rows, search))

    study = optuna.create_study(directions=[OBJECTIVES[name] for name in names])
    for row in rows:
        held = row | {"latency": row["latency_max"], "fps": 1 / row["ii"]}
        study.add_trial(optuna.trial.create_trial(values=[float(held[name]) for name in names]))
    assert trade.front == {trial.number for trial in study.best_trials}


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_front_of_a_sweep_by_brute_force(data):
    """With unknown figures and failures: each row is held against each other."""
    few = st.integers(0, 3)
    rows = data.draw(
        st.lists(st.fixed_dictionaries({
            "accuracy": st.none() | few.map(lambda n: n / 4), "lut": st.none() | few, "dsp": few,
            "bram": few.map(float), "ii": few.map(lambda n: n + 1), "failed": st.booleans(),
        }), min_size=1, max_size=10)
    )  # fmt: skip
    found = {trade.target: trade.front for trade in tradeoffs(make_rows(rows))}

    def dominates(a, b):
        no_worse = a["accuracy"] >= b["accuracy"]
        better = a["accuracy"] > b["accuracy"]
        for name in ("lut", "dsp", "bram", "ii"):
            no_worse = no_worse and a[name] <= b[name]
            better = better or a[name] < b[name]
        return no_worse and better

    held = {
        i: row
        for i, row in enumerate(rows)
        if not row["failed"] and row["accuracy"] is not None and row["lut"] is not None
    }
    front = {i for i, own in held.items() if not any(dominates(o, own) for o in held.values())}
    assert found.get("xcup", set()) == front
