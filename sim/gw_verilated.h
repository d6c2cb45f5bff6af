// What every translation unit of a simulation includes, in one header that can be precompiled.

#include "verilated.h"
