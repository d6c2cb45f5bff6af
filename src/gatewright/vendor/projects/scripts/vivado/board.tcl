# Synthesizes, places and routes the design in its board wrapper.
#
#   vivado -mode batch -source board.tcl
#
# A bitstream is written where a board was named, which gives its pins. Reports and bitstream land
# in board/, which is made anew.

set here [file normalize [file dirname [info script]]]
source [file join $here project.tcl]

set results [file join $here board]
file delete -force $results
file mkdir $results

foreach source $sources {
  read_verilog -sv [file join $rtl $source]
}
read_verilog -sv [file join $here $wrapper.sv]
read_xdc [file join $here board.xdc]
synth_design -top $wrapper -part $part
opt_design
place_design
route_design
report_utilization -file [file join $results routed_utilization.rpt]
report_timing_summary -file [file join $results routed_timing_summary.rpt]
report_power -file [file join $results routed_power.rpt]
write_checkpoint -force [file join $results routed.dcp]
if {[llength $pins] > 0} {
  write_bitstream -force [file join $results $wrapper.bit]
}
