"""Reads hls4ml's graph into typed values, for ranges, types and lowering.

Only this package knows the names of hls4ml's attributes, apart from code that creates nodes
(`frontend.scales`, the parser's handlers) or writes them (`frontend.hls`).

`precisions`, `node`, `weights`, `image`, `tensor` and `activation` read one node; `layers` reads a
graph after its flow was applied; `limits` is the table of what hls4ml's C++ can't do; `marks` are
attributes that Gatewright sets on nodes for itself.
"""

from gatewright.hlsgraph.precisions import fixed_type, is_sign

__all__ = ["fixed_type", "is_sign"]
