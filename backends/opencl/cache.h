#pragma once
// What is kept between programs: built kernels, measured sizes, the results of self-checks. All of
// it lies in ${XDG_CACHE_HOME:-~/.cache}/limulus and may be deleted at any time.
//
// Some of it is run as code, so what is read must be what this user's programs wrote, for this use:
//   * the folder is used only if it is ours, no link, and nobody else may write to it or change it
//     for another one; a file in it likewise. Everything is looked at through an open folder, so
//     that it cannot be exchanged between the look and the use;
//   * each file holds its whole key (what it was made from, and for which driver) beside its
//     content, and a checksum over both. Under another name it is of no use.
#include <optional>
#include <string>

namespace limulus::opencl {

// "" where neither XDG_CACHE_HOME nor HOME names a folder (from the root on: a relative one is
// ignored, as the XDG specification wants it).
std::string cache_folder();

// "" or why nothing is kept: the folder is not to be trusted, or cannot be opened. That it is not
// there yet is no trouble.
std::string cache_trouble();

// For people: the folder, or why nothing is kept in it.
std::string cache_note();

// The content that was kept under this name for exactly this key. A file that is damaged, not ours
// or for another key is as good as none; `unusable` then says so.
std::optional<std::string> cache_read(const std::string& name, const std::string& key,
                                      bool* unusable = nullptr);

// Written beside its place and renamed, so that no reader sees half of it. "" or why it was not
// kept: for most callers that only costs the time to make it again.
std::string cache_write(const std::string& name, const std::string& key,
                        const std::string& content) noexcept;

// A name of 128 bits for what a text says.
std::string hash_of(const std::string& text);

}  // namespace limulus::opencl
