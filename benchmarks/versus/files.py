#!/usr/bin/env python3
"""AlexNet in the form that each framework loads, with the same random weights.

    python files.py FOLDER

    alexnet.onnx             1000 classes, any batch
    alexnet-plain-lrn.onnx   the same with LRN spelled out in simpler operators
    reference.npz            an image, and its logits in double precision
    small*.onnx              both with 5 classes, as many as data/flowers5 has: for the cold start
    small.safetensors        the same as a state dict
    image.npy                one image [1, 3, 227, 227]

The graphs are written node by node, so that each runtime can be given the LRN that it is fastest
with: OpenVINO has a kernel for ONNX's operator (1.5 times the images a second of the whole
network); ONNX Runtime has a slow one, and is 1.6 times faster without it.
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
        return "MaxPool", (), {"kernel_shape": [layer.kernel_size] * 2,
                               "strides": [layer.stride] * 2}
    if isinstance(layer, nn.Flatten):
        return "Flatten", (), {"axis": 1}
    if isinstance(layer, nn.Linear):
        return "Gemm", (layer.weight, layer.bias), {"transB": 1}
    if isinstance(layer, nn.Dropout):
        return None
    raise TypeError(f"layer {name}: {layer} has no translation to ONNX here")


def plain_lrn(layer, name, x, shape, weights):
    """y = x / (k + alpha * mean over the window of x^2)^beta. The window runs over channels: with
    those as rows of a one-channel picture [N, 1, C, H * W], the mean is a pooling of size x 1."""
    channels, height, width = shape
    reach = layer.size // 2
    constants = {"as_rows": numpy.array([0, 1, channels, -1]),
                 "as_maps": numpy.array([0, channels, height, width]),
                 "alpha": numpy.float32(layer.alpha), "k": numpy.float32(layer.k),
                 "beta": numpy.float32(layer.beta)}
    weights += [numpy_helper.from_array(numpy.asarray(v), f"{name}.{n}")
                for n, v in constants.items()]
    y = f"y{name}"
    steps = [("Mul", x, x), ("Reshape", "0", "as_rows"), ("AveragePool", "1"),
             ("Reshape", "2", "as_maps"), ("Mul", "3", "alpha"), ("Add", "4", "k"),
             ("Pow", "5", "beta"), ("Div", x, "6")]
    nodes = []
    for i, (operator, *inputs) in enumerate(steps):
        inputs = [f"{y}.{t}" if t.isdigit() else f"{name}.{t}" if t in constants else t
                  for t in inputs]
        pool = {"kernel_shape": [layer.size, 1], "pads": [reach, 0, reach, 0],
                "count_include_pad": 1} if operator == "AveragePool" else {}
        output = y if i + 1 == len(steps) else f"{y}.{i}"
        nodes.append(helper.make_node(operator, inputs, [output], **pool))
    return nodes


def to_onnx(net, classes, lrn_operator):
    nodes, weights, last = [], [], "image"
    x = torch.zeros(1, 3, 227, 227)  # follows along, for its shape
    for name, layer in net.named_children():
        x = layer(x)
        if isinstance(layer, nn.LocalResponseNorm) and not lrn_operator:
            nodes += plain_lrn(layer, name, last, x.shape[1:], weights)
            last = f"y{name}"
            continue
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
    small, net = random_alexnet(5).eval(), random_alexnet().eval()
    with torch.no_grad():
        for network, name, classes in ((small, "small", 5), (net, "alexnet", 1000)):
            for end, lrn_operator in (("", True), ("-plain-lrn", False)):
                onnx.save(to_onnx(network, classes, lrn_operator),
                          os.path.join(folder, f"{name}{end}.onnx"))
        save_file(small.state_dict(), os.path.join(folder, "small.safetensors"))
        image = torch.randn(1, 3, 227, 227)
        logits = net.double()(image.double())
    numpy.save(os.path.join(folder, "image.npy"), image.numpy())
    numpy.savez(os.path.join(folder, "reference.npz"), image=image.numpy(), logits=logits.numpy())


if __name__ == "__main__":
    main(sys.argv[1])
