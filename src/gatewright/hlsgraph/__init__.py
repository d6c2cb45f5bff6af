"""Reads hls4ml's graph into typed values, for what looks at its nodes: ranges, types, lowering.

Beside it, only what makes nodes (`frontend.scales`, the parser's handlers) or writes them
(`frontend.hls`) knows what hls4ml calls attributes.

`precisions`, `node`, `weights`, `image`, `tensor` and `activation` read one node; `layers` reads a
graph whose flow is applied; `limits` is the table of what hls4ml's C++ can't do; `marks` are the
attributes that Gatewright itself leaves on nodes.
"""

from gatewright.hlsgraph.precisions import fixed_type, is_sign

__all__ = ["fixed_type", "is_sign"]
