#include "backends/plugin.h"
void limulus_plugins() {}  // a slip of the pen
