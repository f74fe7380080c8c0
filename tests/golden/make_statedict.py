#!/usr/bin/env python3
"""Makes statedict/: a small network's state dict as PyTorch users save it, an input, its logits.

    python3 -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python tests/golden/make_statedict.py     # overwrites tests/golden/statedict/

The layers, their order and their names are those of torchvision's AlexNet; there are few channels,
so that the files are small. tests/formats_statedict_test.cpp builds the same network, loads the
weights and compares. The logits are computed in double from the stored numbers.
"""
import os

import numpy
import torch
from safetensors.torch import save_file
from torch import nn

torch.manual_seed(2012)


class SmallAlexNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(6, 8, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(8, 10, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(10, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(8 * 2 * 2, 24),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(24, 24),
            nn.ReLU(),
            nn.Linear(24, 5),
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


net = SmallAlexNet().eval()
with torch.no_grad():
    for p in net.parameters():  # PyTorch's own initialization lets the input fade away
        p.mul_(2)
x = torch.randn(2, 3, 51, 59)
folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "statedict")
os.makedirs(folder, exist_ok=True)
save_file(net.state_dict(), os.path.join(folder, "weights.safetensors"))
numpy.save(os.path.join(folder, "input.npy"), x.numpy())
with torch.no_grad():
    logits = net.double()(x.double())
numpy.save(os.path.join(folder, "logits.npy"), logits.numpy())
print(logits)
