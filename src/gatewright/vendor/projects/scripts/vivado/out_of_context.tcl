# Synthesizes, places and routes the design out of context: without pads, its ports left open.
#
#   vivado -mode batch -source out_of_context.tcl -tclargs synthesized|placed|routed
#
# Reports land in reports/, which is made anew; reports/finished says how far it came.

set here [file normalize [file dirname [info script]]]
source [file join $here project.tcl]

set until [expr {$argc > 0 ? [lindex $argv 0] : "routed"}]
if {$until ni {synthesized placed routed}} {
  error "until '$until': choose from synthesized, placed, routed"
}
set reports [file join $here reports]
file delete -force $reports
file mkdir $reports

proc report {stage} {
  global reports
  report_utilization -file [file join $reports ${stage}_utilization.rpt]
  report_timing_summary -file [file join $reports ${stage}_timing_summary.rpt]
  report_power -file [file join $reports ${stage}_power.rpt]
}

foreach source $sources {
  read_verilog -sv [file join $rtl $source]
}
read_xdc -mode out_of_context [file join [file dirname $here] clock.xdc]
synth_design -top $top -part $part -mode out_of_context
report synthesized
if {$until ne "synthesized"} {
  opt_design
  place_design
  report placed
}
if {$until eq "routed"} {
  route_design
  report routed
  write_checkpoint -force [file join $reports routed.dcp]
}
set file [open [file join $reports finished] w]
puts $file $until
close $file
