#include "core/note.h"

#include <mutex>
#include <set>
#include <utility>

namespace limulus {
namespace {

struct NoteListener {
  std::mutex mutex;
  std::function<void(const std::string&)> sink;
  std::set<std::string> said;
};

// Never destroyed: there may be something to note while a program ends.
NoteListener& note_listener() {
  static NoteListener* instance = new NoteListener;
  return *instance;
}

}  // namespace

void set_note_sink(std::function<void(const std::string&)> sink) {
  NoteListener& l = note_listener();
  const std::lock_guard lock(l.mutex);
  l.sink = std::move(sink);
  l.said.clear();
}

void note(const std::string& text) noexcept {
  try {
    NoteListener& l = note_listener();
    const std::lock_guard lock(l.mutex);
    if (l.sink && l.said.insert(text).second) l.sink(text);
  } catch (...) {  // nobody could be told
  }
}

}  // namespace limulus
