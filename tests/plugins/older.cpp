// A plugin from another version, whose limulus_plugin must not be called.
#include <cstdlib>
extern "C" {
const char* limulus_plugin_stamp = "limulus 0.0.9, interface 0123456789ab";
void limulus_plugin() { std::abort(); }
}
