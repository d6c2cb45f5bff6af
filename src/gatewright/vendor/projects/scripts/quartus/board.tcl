# Synthesizes, places and routes the design in its board wrapper, and makes a programming file.
#
#   quartus_sh -t board.tcl
#
# The project is made anew in board/, with its results. Without a board the fitter chooses pins.

load_package flow

set here [file normalize [file dirname [info script]]]
source [file join $here project.tcl]

set build [file join $here board]
file delete -force $build
file mkdir $build
cd $build

project_new -overwrite $wrapper
set_global_assignment -name FAMILY $family
set_global_assignment -name DEVICE $part
set_global_assignment -name TOP_LEVEL_ENTITY $wrapper
set_global_assignment -name PROJECT_OUTPUT_DIRECTORY $build
foreach source $sources {
  set_global_assignment -name SYSTEMVERILOG_FILE [file join $rtl $source]
}
set_global_assignment -name SYSTEMVERILOG_FILE [file join $here $wrapper.sv]
set_global_assignment -name SDC_FILE [file join $here board.sdc]
foreach {port pin standard} $pins {
  set_location_assignment PIN_$pin -to $port
  set_instance_assignment -name IO_STANDARD $standard -to $port
}
execute_flow -compile
project_close
