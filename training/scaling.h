#pragma once
// How much faster would more machines be? A model of the parallel step (parallel_step.h), from what
// its parts take on this machine and from two numbers of the network between machines.
//
//   a step of R machines  =  the images of one of them, forward and backward
//                          + with factors: their products, of the whole batch, on each of them
//                          + the update of all weights, on each of them
//                          + what the machine waits for the network
//
// The network takes messages x latency + bytes / bandwidth. It begins with a layer's numbers when
// they are complete, in the backward pass of a machine's last micro-batch, from the last layer to
// the first. So a part of that time passes while the machine computes. A layer's backward pass is
// taken to be two products (of the gradient with the input, and with the weights; the first layer
// has one), each of as many multiply-adds as its forward pass.
//
// All machines are alike. Each can send and receive at the full bandwidth at the same time, and the
// switch between them never holds anything up: real networks are worse. A machine has at least one
// image, so that R ends at the batch's size.
#include <cstdint>
#include <vector>

#include "layers/module.h"
#include "training/config.h"
#include "training/parallel_step.h"

namespace limulus {

struct Cluster {
  double bandwidth = 1e9 / 8;  // bytes per second, of one machine, in each direction
  double latency = 50e-6;      // seconds from the start of a message to its first byte
};

struct StepTimes {       // measured, in seconds
  double per_image = 0;  // forward and backward, but for the weights' products below
  double products = 0;   // per image: dw = dy^T x of the fully connected layers
  double update = 0;     // of all weights
};

struct StepForecast {
  int machines = 1;
  std::int64_t batch = 0;               // of all machines
  double compute = 0, communicate = 0;  // seconds in a step; they overlap
  double waiting = 0;                   // of the communication, the part that does not overlap
  double bytes = 0;                     // that each machine sends
  double images_per_second() const { return static_cast<double>(batch) / (compute + waiting); }
};

// What each machine sends in a step, parameter by parameter, as ParallelStep counts it: on average,
// where a batch cannot be cut into equal parts.
std::vector<Traffic> expected_traffic(const Module& network, int machines, std::int64_t batch,
                                      Exchange exchange);

// `image` [C, S, S] is what the network sees. Each machine cuts its images into so many
// micro-batches.
StepForecast forecast(const Module& network, const Shape& image, const StepTimes& times,
                      const Cluster& cluster, int machines, std::int64_t batch, Exchange exchange,
                      std::int64_t micro_batches_of_each = 1);

// Measures these times: a few steps of `batch` random images [C, S, S] of this shape.
StepTimes measure_step(Module& network, Backend& backend, const Shape& image, std::int64_t batch,
                       std::int64_t classes);

}  // namespace limulus
