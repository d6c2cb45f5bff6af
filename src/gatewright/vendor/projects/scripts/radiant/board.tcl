# Synthesizes, places and routes the design in its board wrapper.
#
#   radiantc board.tcl
#
# The project is made anew in board/, with its results. Without a board the placer chooses pins.

set here [file normalize [file dirname [info script]]]
source [file join $here project.tcl]

set build [file join $here board]
file delete -force $build
file mkdir $build
cd $build

prj_create -name $wrapper -impl impl1 -dev $part -performance $performance -synthesis synplify
foreach source $sources {
  prj_add_source [file join $rtl $source]
}
prj_add_source [file join $here $wrapper.sv]
prj_add_source [file join $here board.sdc]
prj_set_impl_opt -impl impl1 top $wrapper
prj_save
prj_run Synthesis -impl impl1
prj_run Map -impl impl1
prj_run PAR -impl impl1
prj_close
