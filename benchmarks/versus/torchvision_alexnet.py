#!/usr/bin/env python3
"""Carries the weights of torchvision's AlexNet over, through a safetensors file.

    build/versus-venv/bin/python benchmarks/versus/torchvision_alexnet.py [--weights FILE]

Builds the network in PyTorch with random weights (or loads yours: a state dict in safetensors),
saves the state dict, lets benchmarks/load_and_run compute the logits of the same images, and
compares: with the weights as they are, and with those of the fully connected layers stored as bf16.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy
import torch
from safetensors.torch import load_file, save_file

from environment import ROOT, check_build
from torch_models import TorchvisionAlexNet


def main():
    p = argparse.ArgumentParser(description="Logits of torchvision's AlexNet, here and in PyTorch")
    p.add_argument("--build", default=os.path.join(ROOT, "build"), help="default: build")
    p.add_argument("--weights", help="a state dict of torchvision's AlexNet in safetensors")
    p.add_argument("--images", type=int, default=2, help="default: 2")
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    a.build = os.path.abspath(a.build)
    check_build(a.build)

    torch.manual_seed(1)
    net = TorchvisionAlexNet().eval()
    if a.weights:
        net.load_state_dict(load_file(a.weights))
    else:
        # PyTorch's own initialization lets the image fade away on its way down.
        with torch.no_grad():
            for w in net.parameters():
                w.mul_(2 if w.dim() > 1 else 1)
    x = torch.randn(a.images, 3, 224, 224)

    with tempfile.TemporaryDirectory() as folder:
        weights, image, logits = (os.path.join(folder, n)
                                  for n in ("weights.safetensors", "image.npy", "logits.npy"))
        save_file(net.state_dict(), weights)
        numpy.save(image, x.numpy())
        ours = {}
        for options in ((), ("--bf16",)):
            done = subprocess.run([os.path.join(a.build, "benchmarks", "load_and_run"), *options,
                                   "alexnet-torchvision", weights, image, logits])
            if done.returncode != 0:
                sys.exit(f"load_and_run failed with exit status {done.returncode}, see above")
            ours[options] = numpy.load(logits)
    with torch.no_grad():
        theirs = net(x).numpy()
        exact = net.double()(x.double()).numpy()

    result = {"images": a.images,
              "largest_logit": float(abs(theirs).max()),
              "spread_between_images": float(abs(exact - exact[:1]).max()),
              "largest_difference": float(abs(ours[()] - theirs).max()),
              "largest_error_of_limulus": float(abs(ours[()] - exact).max()),
              "largest_error_of_torch": float(abs(theirs - exact).max()),
              "largest_error_of_bf16": float(abs(ours["--bf16",] - exact).max()),
              "same_class_with_bf16": int((ours["--bf16",].argmax(1) == exact.argmax(1)).sum())}
    if a.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name.replace('_', ' '):<26} {value:.3g}")


if __name__ == "__main__":
    main()
