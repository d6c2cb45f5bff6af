# Synthesizes, places and routes the design out of context: its ports are virtual pins.
#
#   quartus_sh -t out_of_context.tcl
#
# The project is made anew in out_of_context/, its reports in reports/; reports/finished says that
# it ended.

load_package flow

set here [file normalize [file dirname [info script]]]
source [file join $here project.tcl]

set reports [file join $here reports]
set build [file join $here out_of_context]
file delete -force $reports $build
file mkdir $reports $build
cd $build

project_new -overwrite $top
set_global_assignment -name FAMILY $family
set_global_assignment -name DEVICE $part
set_global_assignment -name TOP_LEVEL_ENTITY $top
set_global_assignment -name PROJECT_OUTPUT_DIRECTORY $reports
foreach source $sources {
  set_global_assignment -name SYSTEMVERILOG_FILE [file join $rtl $source]
}
set_global_assignment -name SDC_FILE [file join [file dirname $here] clock.sdc]
foreach port $ports {
  set_instance_assignment -name VIRTUAL_PIN ON -to $port
}
execute_flow -compile
project_close

set file [open [file join $reports finished] w]
puts $file routed
close $file
