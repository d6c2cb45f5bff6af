# Synthesizes, places and routes the design out of context: its ports are virtual I/O, save the
# clock's. Radiant must know the strategy's option map_set_virtual_io_all_ports.
#
#   radiantc out_of_context.tcl
#
# The project is made anew in out_of_context/, its reports in reports/; reports/finished says that
# it ended.

set here [file normalize [file dirname [info script]]]
source [file join $here project.tcl]

set reports [file join $here reports]
set build [file join $here out_of_context]
file delete -force $reports $build
file mkdir $reports $build
cd $build

prj_create -name $top -impl impl1 -dev $part -performance $performance -synthesis synplify
foreach source $sources {
  prj_add_source [file join $rtl $source]
}
prj_add_source [file join $here out_of_context.sdc]
prj_set_impl_opt -impl impl1 top $top
prj_set_strategy_value map_set_virtual_io_all_ports=True
prj_save
prj_run Synthesis -impl impl1
prj_run Map -impl impl1
prj_run PAR -impl impl1
prj_close
foreach kind {mrp twr} {
  file copy [file join $build impl1 ${top}_impl1.$kind] [file join $reports $top.$kind]
}

set file [open [file join $reports finished] w]
puts $file routed
close $file
