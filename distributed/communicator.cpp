#include "distributed/communicator.h"

#include <fmt/core.h>

#include <numeric>

namespace limulus {
namespace {

// For messages: a long text is cut, as it stands beside another one.
std::string shortened(const std::string& text) {
  constexpr std::size_t kMost = 200;
  return text.size() <= kMost ? text : text.substr(0, kMost) + " ...";
}

}  // namespace

void Communicator::broadcast(MutableBytes data, int root) {
  if (rank() == root) sent_ += data.size() * static_cast<std::uint64_t>(size() - 1);
  do_broadcast(data, root);
}

void Communicator::all_gather(Bytes mine, MutableBytes all, const std::vector<std::size_t>& sizes) {
  const std::size_t total = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
  if (sizes.size() != static_cast<std::size_t>(size()) || total != all.size() ||
      mine.size() != sizes[static_cast<std::size_t>(rank())])
    throw RankError(
        fmt::format("{}: gathers {} bytes of {} ranks, {} of them its own, into room for {}",
                    place(), total, sizes.size(), mine.size(), all.size()));
  sent_ += mine.size() * static_cast<std::uint64_t>(size() - 1);
  do_all_gather(mine, all, sizes);
}

void Communicator::all_to_all(Bytes to, const std::vector<std::size_t>& to_sizes, MutableBytes from,
                              const std::vector<std::size_t>& from_sizes) {
  sent_ += to.size() - to_sizes[static_cast<std::size_t>(rank())];
  do_all_to_all(to, to_sizes, from, from_sizes);
}

std::vector<std::string> gather_texts(Communicator& ranks, const std::string& mine) {
  const auto lengths = gather(ranks, std::vector<std::int64_t>{std::ssize(mine)});
  const auto all = gather(ranks, std::vector<char>(mine.begin(), mine.end()), lengths);
  std::vector<std::string> texts;
  auto begin = all.begin();
  for (const std::int64_t n : lengths) {
    texts.emplace_back(begin, begin + n);
    begin += n;
  }
  return texts;
}

std::string broadcast_text(Communicator& ranks, const std::string& text) {
  std::int64_t length = std::ssize(text);
  ranks.broadcast(std::as_writable_bytes(std::span(&length, 1)), 0);
  std::string all = ranks.rank() == 0 ? text : std::string(static_cast<std::size_t>(length), '\0');
  ranks.broadcast(std::as_writable_bytes(std::span(all)), 0);
  return all;
}

void agree(Communicator& ranks, const std::vector<Common>& terms) {
  const auto places = gather_texts(ranks, ranks.place());
  for (const Common& term : terms) {
    const auto values = gather_texts(ranks, term.value);
    for (std::size_t r = 1; r < values.size(); ++r)
      if (values[r] != values[0])
        throw RankError(fmt::format(
            "{} does not fit together with {}: {} is\n  {}\nthere, and\n  {}\nhere. All ranks need "
            "the same program, settings and pictures",
            places[r], places[0], term.what, shortened(values[r]), shortened(values[0])));
  }
}

}  // namespace limulus
