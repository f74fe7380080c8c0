#!/usr/bin/env python3
"""AlexNet in the form that each framework loads, with the same random weights.

    python files.py FOLDER

    alexnet.onnx           1000 classes, any batch: inference
    reference.npz          an image, and what it gives in double precision
    small.onnx             5 classes, as a checkpoint trained on data/flowers5 has: the cold start
    small.safetensors      the same as a state dict
    image.npy              one image [1, 3, 227, 227]

The ONNX graph is written node by node: PyTorch's exporter spells LRN out in sixty nodes, which no
runtime recognises, and which are slower than the operator that ONNX has for it.
"""
import os
import sys

import numpy
import onnx
import torch
from onnx import helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

from torch_models import random_alexnet


def node_of(layer, name):
    """(operator, weights, attributes) of one layer; None for dropout, which inference has not."""
    if isinstance(layer, nn.Conv2d):
        return "Conv", (layer.weight, layer.bias), {
            "kernel_shape": layer.kernel_size, "strides": layer.stride, "group": layer.groups,
            "pads": layer.padding * 2}
    if isinstance(layer, nn.ReLU):
        return "Relu", (), {}
    if isinstance(layer, nn.LocalResponseNorm):  # ONNX divides alpha by the size, as PyTorch does
        return "LRN", (), {"size": layer.size, "alpha": layer.alpha, "beta": layer.beta,
                           "bias": float(layer.k)}
    if isinstance(layer, nn.MaxPool2d):
        return "MaxPool", (), {"kernel_shape": [layer.kernel_size] * 2, "strides": [layer.stride] * 2}
    if isinstance(layer, nn.Flatten):
        return "Flatten", (), {"axis": 1}
    if isinstance(layer, nn.Linear):
        return "Gemm", (layer.weight, layer.bias), {"transB": 1}
    if isinstance(layer, nn.Dropout):
        return None
    raise TypeError(f"layer {name}: {layer} has no translation to ONNX here")


def to_onnx(net, classes):
    nodes, weights, last = [], [], "image"
    for name, layer in net.named_children():
        node = node_of(layer, name)
        if node is None:
            continue
        operator, parameters, attributes = node
        names = [f"{name}.{part}" for part, _ in zip(("weight", "bias"), parameters)]
        weights += [numpy_helper.from_array(w.detach().numpy(), n)
                    for w, n in zip(parameters, names)]
        nodes.append(helper.make_node(operator, [last, *names], [f"y{name}"], **attributes))
        last = f"y{name}"
    nodes[-1].output[0] = "logits"
    f32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes, "alexnet", [helper.make_tensor_value_info("image", f32, ["batch", 3, 227, 227])],
        [helper.make_tensor_value_info("logits", f32, ["batch", classes])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def main(folder):
    os.makedirs(folder, exist_ok=True)
    path = lambda name: os.path.join(folder, name)
    small = random_alexnet(5).eval()
    onnx.save(to_onnx(small, 5), path("small.onnx"))
    save_file(small.state_dict(), path("small.safetensors"))
    net = random_alexnet().eval()
    onnx.save(to_onnx(net, 1000), path("alexnet.onnx"))
    image = torch.randn(1, 3, 227, 227)
    numpy.save(path("image.npy"), image.numpy())
    with torch.no_grad():
        logits = net.double()(image.double())
    numpy.savez(path("reference.npz"), image=image.numpy(), logits=logits.numpy())


if __name__ == "__main__":
    main(sys.argv[1])
