"""A pruned configuration is held against its twin alone, and what saves nothing is seen."""

import pytest
from made_up import RECIPE, make_recipe_fields

from gatewright.report.pruning import pruning_table, prunings, unmatched
from gatewright.report.schema import Report, SweepReport

TRAIN, PRUNE, QUANTIZE = RECIPE


def make_pair(change=None, *, unpruned=(TRAIN, QUANTIZE), pruned=RECIPE):
    """A sweep of an unpruned and a pruned configuration; `change` spoils the latter's fields."""
    before, after = make_recipe_fields("whole", unpruned), make_recipe_fields("pruned", pruned)
    for layer in after["layers"]:
        if "weights_nonzero" in layer:
            layer["weights_nonzero"] //= 4
    after["resources"]["xcup"] |= {"lut": 4393, "dsp": 0}
    before["resources"]["xcup"] |= {"lut": 17572, "dsp": 0}
    if change:
        change(after)
    return SweepReport(reports=tuple(Report.model_validate(fields) for fields in (before, after)))


def cells(sweep):
    return {entry.heading: entry.cells for entry in pruning_table(sweep)}


def test_what_was_removed_and_what_that_saved():
    table = cells(make_pair())
    removed = 2066 - 516  # of the made-up layers
    assert table == {
        "config": ("pruned",),
        "unpruned": ("whole",),
        "pruning": ("50% by magnitude",),
        "verdict": ("saves",),
        "weights removed": (f"{removed:,}",),
        "share removed": ("75.0%",),
        "LUT before": ("17,572",),
        "LUT after": ("4,393",),
        "LUT saved": ("75.0%",),
        "accuracy change": ("+0.0000",),
    }


@pytest.mark.parametrize("lut", [17572, 18000])
def test_a_pruning_that_saves_nothing_is_seen(lut):
    table = cells(make_pair(lambda fields: fields["resources"]["xcup"].update(lut=lut)))
    assert table["verdict"] == ("saves nothing",)


def test_dsps_are_savings_too():
    sweep = make_pair(lambda fields: fields["resources"]["xcup"].update(lut=17572))
    sweep.reports[0].resources["xcup"] = (
        sweep.reports[0].resources["xcup"].model_copy(update={"dsp": 8})
    )
    table = cells(sweep)
    assert table["verdict"] == ("saves",)
    assert table["DSP saved"] == ("100.0%",)


def test_of_what_is_not_known_nothing_is_said():
    table = cells(make_pair(lambda fields: fields["resources"].update(xcup={})))
    assert "verdict" not in table and "LUT saved" not in table
    assert table["weights removed"] == ("1,550",)


def other_step(fields):
    fields["steps"][2]["settings"] = "4 bits"


def other_bits(fields):
    fields["config"]["layers"][0]["weight_bits"] = 5


def other_reuse(fields):
    fields["config"]["reuse_factor"] = 4


def other_clock(fields):
    fields["timing"]["clock_ns"] = 4.0


def one_more(fields):
    fields["steps"].append({"name": "finetune", "settings": "5 epochs"})


@pytest.mark.parametrize("change", [other_step, other_bits, other_reuse, other_clock, one_more])
def test_what_differs_in_more_than_pruning_is_no_twin(change):
    sweep = make_pair(change)
    assert pruning_table(sweep) == []
    assert unmatched(sweep) == ["pruned"]


def test_two_prunings_are_not_held_against_one_another():
    harder = PRUNE | {"settings": "90% by magnitude"}
    sweep = make_pair(unpruned=(TRAIN, PRUNE, QUANTIZE), pruned=(TRAIN, harder, QUANTIZE))
    assert [pruning.unpruned for pruning in prunings(sweep)] == [None, None]
    assert unmatched(sweep) == ["whole", "pruned"]


def test_without_weights_of_layers_those_of_the_recipe_count():
    sweep = make_pair(unpruned=(TRAIN, QUANTIZE | {"weights_nonzero": 2500}))
    bare = [report.model_copy(update={"layers": ()}) for report in sweep.reports]
    (pruning,) = prunings(SweepReport(reports=tuple(bare)))
    assert pruning.weights == (2500, 1250)


def test_a_model_without_a_recipe_is_not_pruned():
    fields = make_recipe_fields("plain", (TRAIN,))
    assert prunings(SweepReport(reports=(Report.model_validate(fields),))) == []
