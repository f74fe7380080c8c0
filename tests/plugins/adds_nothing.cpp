#include "backends/plugin.h"
void limulus_plugin() {}
