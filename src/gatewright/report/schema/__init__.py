"""The schema of a report: every figure of one model under one configuration.

JSON, CSV, Markdown, HTML and the terminal table are views of these classes, and vendor reports are
parsed into them. An unknown figure is `None` and left out of the JSON; it is never zero. The
results of the steps of the flow have the same classes there and here, see `results`.
"""

from gatewright.report.schema.configuration import Config, LayerConfig, Model
from gatewright.report.schema.origins import Method, Origin, Provenance
from gatewright.report.schema.reports import VERSION, Report, SweepReport
from gatewright.report.schema.structure import Bottleneck, Fifo, Layer, Port
from gatewright.report.schema.training import Accuracy, Compute, Error, Repetition, Score, Step
from gatewright.report.schema.trials import Search, SearchTrial
from gatewright.results.against_model import Cause, Fidelity, LayerFidelity, OutputFidelity
from gatewright.results.analyzed import Analyzed, CriticalPath, Power
from gatewright.results.imported import Imported, SourceReport
from gatewright.results.ranges import Ranges, TypeRange
from gatewright.results.routed import Cells, Routed, Run, Segment
from gatewright.results.signal_origin import SignalOrigin
from gatewright.results.software import Baseline, Software
from gatewright.results.timing import Timing
from gatewright.results.utilization import Resources
from gatewright.results.verification import Comparison, Difference, LayerCheck, Verification

__all__ = [
    "VERSION",
    "Accuracy",
    "Analyzed",
    "Baseline",
    "Bottleneck",
    "Cause",
    "Cells",
    "Comparison",
    "Compute",
    "Config",
    "CriticalPath",
    "Difference",
    "Error",
    "Fidelity",
    "Fifo",
    "Imported",
    "Layer",
    "LayerCheck",
    "LayerConfig",
    "LayerFidelity",
    "Method",
    "Model",
    "Origin",
    "OutputFidelity",
    "Port",
    "Power",
    "Provenance",
    "Ranges",
    "Repetition",
    "Report",
    "Resources",
    "Routed",
    "Run",
    "Score",
    "Search",
    "SearchTrial",
    "Segment",
    "SignalOrigin",
    "Software",
    "SourceReport",
    "Step",
    "SweepReport",
    "Timing",
    "TypeRange",
    "Verification",
]
