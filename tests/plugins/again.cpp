// A second file with the same header: the stamp is there once.
#include "backends/plugin.h"
