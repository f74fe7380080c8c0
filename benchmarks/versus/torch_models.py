"""The networks of models/ in PyTorch: the same mathematics, with PyTorch's own layers."""
import torch
from torch import nn


def alexnet(classes=1000):
    """models/alexnet.h: Krizhevsky, Sutskever, Hinton 2012, with two groups in conv2, conv4, conv5.
    PyTorch divides LRN's alpha by the window's size, the paper does not: hence 5 times 1e-4."""
    def lrn():
        return nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2)

    return nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(), lrn(), nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), lrn(), nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Flatten(),
        nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(4096, classes),
    )


def lenet5(classes=10):
    """models/lenet5.h: with ReLU and maxima, as people build it now."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes),
    )


def cifar_convnet(classes=10):
    """models/cifar_convnet.h: windows of 3 at stride 2, of which the last may be cut off."""
    def mean():
        return nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False)

    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(), mean(),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), mean(), nn.Flatten(),
        nn.Linear(1024, classes),
    )


NETWORKS = {"alexnet": alexnet, "lenet5": lenet5, "cifar-convnet": cifar_convnet}
# Channels, size and classes.
INPUTS = {"alexnet": (3, 227, 1000), "lenet5": (1, 28, 10), "cifar-convnet": (3, 32, 10)}


def random_alexnet(classes=1000):
    """The same weights in each process. PyTorch's own initialization lets an image fade away on its
    way down; twice as large, the weights keep it, and the logits tell how exactly it was
    computed."""
    torch.manual_seed(1)
    net = alexnet(classes)
    with torch.no_grad():
        for w in net.parameters():
            w.mul_(2 if w.dim() > 1 else 1)
    return net


class TorchvisionAlexNet(nn.Module):
    """The AlexNet of torchvision.models (Krizhevsky 2014, one column), with its names: features.0
    ... classifier.6. Its adaptive pooling passes a 224 x 224 image's 6 x 6 features on as they
    are."""

    def __init__(self, classes=1000):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(),
            nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(),
            nn.Linear(4096, classes),
        )

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))
