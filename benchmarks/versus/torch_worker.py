"""PyTorch as a worker (worker.py): eager, or compiled by its inductor, which needs g++."""
import argparse

import torch
from torch import nn

from torch_models import INPUTS, NETWORKS, random_alexnet
from worker import check_single_precision, reference, serve, timed

parser = argparse.ArgumentParser()
parser.add_argument("--fused", action="store_true", help="the optimizer's update in a single pass")
parser.add_argument("--compile", action="store_true", help="torch.compile")
options = parser.parse_args()


def versions():
    return {"torch": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability()}


def multiply(threads, sizes, transposed_a, transposed_b):
    torch.set_num_threads(threads)
    m, n, k = sizes
    a = torch.rand(k, m).t() if transposed_a else torch.rand(m, k)
    b = torch.rand(n, k).t() if transposed_b else torch.rand(k, n)
    c = torch.empty(m, n)
    return lambda: torch.mm(a, b, out=c)


def prepare_inference(net, request):
    image, expected = reference(request)
    x = torch.from_numpy(image)
    net.eval()
    if options.compile:
        from torch._inductor import config
        config.freezing = True  # the weights are constants, and may be laid out anew
        net = torch.compile(net, dynamic=False)

    def step():
        with torch.no_grad() if options.compile else torch.inference_mode():
            return net(x)

    check_single_precision(step().numpy(), expected)
    step()
    return timed(step)


def prepare_training(net, request):
    batch = request["batch"]
    channels, side, classes = INPUTS[request["model"]]
    x, labels = torch.randn(batch, channels, side, side), torch.randint(classes, (batch,))
    net.train()
    cross_entropy = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-6, momentum=0.9, weight_decay=5e-4,
                                **({"fused": True} if options.fused else {}))

    def forward(images, truth):
        return cross_entropy(net(images), truth)

    loss = torch.compile(forward, dynamic=False) if options.compile else forward

    def step():
        loss(x, labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    return timed(step)


def prepare(request):
    torch.set_num_threads(request["threads"])
    net = random_alexnet() if request["model"] == "alexnet" else NETWORKS[request["model"]]()
    return (prepare_training if request["work"] == "training" else prepare_inference)(net, request)


if __name__ == "__main__":
    serve(versions, prepare, multiply)
