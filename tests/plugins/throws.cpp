#include "backends/plugin.h"
#include "core/error.h"
void limulus_plugin() { throw limulus::DeviceError("my device is not plugged in"); }
