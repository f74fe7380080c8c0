// Calls a function that it forgot to compile.
#include "backends/plugin.h"
namespace mine {
void forgotten_kernel(int);
}
void limulus_plugin() { mine::forgotten_kernel(1); }
