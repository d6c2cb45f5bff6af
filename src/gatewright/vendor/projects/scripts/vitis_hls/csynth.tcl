# Runs C synthesis of hls4ml's C++, with the settings of hls4ml's own script.
#
#   vitis_hls -f csynth.tcl          (vitis-run --mode hls --tcl csynth.tcl in later releases)
#
# The project is made anew in build/, its reports are copied to reports/; reports/finished says that
# it ended.

set here [file normalize [file dirname [info script]]]
source [file join $here project.tcl]

set reports [file join $here reports]
file delete -force $reports
file mkdir $reports
cd $here

open_project -reset build
set_top $top
add_files [file join $hls firmware $top.cpp] -cflags "-std=c++0x"
open_solution -reset solution1
config_compile -name_max_length 80
set_part $part
config_schedule -enable_dsp_full_reg=false
create_clock -period $period -name default
set_clock_uncertainty $uncertainty default
csynth_design

foreach ending {rpt xml} {
  set report ${top}_csynth.$ending
  file copy [file join $here build solution1 syn report $report] [file join $reports $report]
}
set file [open [file join $reports finished] w]
puts $file estimated
close $file
