"""The networks by name.

    net = limulus.models.alexnet(classes=5)
    print(net.summary())

Each network begins with random weights (recipe and seed: Module.initialize), and knows the shape of
its input, input_shape.
"""

from . import _core


def list():  # noqa: A001
    """The networks that make() knows, a ModelSpec each."""
    return _core._list_models()


def make(name, classes=0, *, recipe="he", seed=0, dropout=0.5, batch_norm=False,
         nonlinearity="relu", dtype="f32", device="cpu"):
    """A network by name: "alexnet", "alexnet-keras", "lenet5" ...; classes=0: its own number.

    With recipe=None all weights are 0, for load_weights(). ValueError lists the names.
    """
    net = _core._make_model(name, classes, dropout, batch_norm, nonlinearity, dtype, device)
    if recipe is not None:
        net.initialize(recipe, seed)
    net.name = name
    net.input_shape = next(spec.input for spec in list() if spec.name == name)
    return net


def alexnet(classes=1000, **options):
    """AlexNet of 2012, conv2, conv4 and conv5 in two groups: 3x227x227, 60,965,224 parameters."""
    return make("alexnet", classes, **options)


def alexnet_ungrouped(classes=1000, **options):
    """AlexNet without groups: 3x227x227, 62,378,344 parameters."""
    return make("alexnet-ungrouped", classes, **options)


def alexnet_keras(classes=17, **options):
    """AlexNet of Keras tutorials: 3x224x224, 46,816,657 parameters; batch_norm=True adds some."""
    return make("alexnet-keras", classes, **options)


def alexnet_torchvision(classes=1000, **options):
    """torchvision's AlexNet, under its names: 3x224x224, 61,100,840 parameters."""
    return make("alexnet-torchvision", classes, **options)


def lenet5(classes=10, **options):
    """LeNet-5 of 1998: 1x28x28, 61,706 parameters. nonlinearity="tanh" averages, as it did."""
    return make("lenet5", classes, **options)


def cifar_convnet(classes=10, **options):
    """Four layers for CIFAR-10: 3x32x32, 89,578 parameters."""
    return make("cifar-convnet", classes, **options)
