"""One inference in a fresh process: import, load the weights, classify one prepared image.

    python cold_start.py torch|onnxruntime|openvino FOLDER THREADS

FOLDER holds what files.py made. `limulus predict` is measured beside it, and does more: it decodes
a JPEG and resizes it.
"""
import json
import os
import sys

import numpy


def with_torch(folder, threads, image):
    import torch
    from safetensors.torch import load_file
    from torch_models import alexnet
    torch.set_num_threads(threads)
    with torch.device("meta"):  # shapes without memory: the weights come from the file
        net = alexnet(5).eval()
    net.load_state_dict(load_file(os.path.join(folder, "small.safetensors")), assign=True)
    with torch.inference_mode():
        return net(torch.from_numpy(image)).numpy()


def with_onnxruntime(folder, threads, image):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(os.path.join(folder, "small-plain-lrn.onnx"), options,
                                           providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0]


def with_openvino(folder, threads, image):
    import openvino
    core = openvino.Core()
    model = core.read_model(os.path.join(folder, "small.onnx"))
    model.reshape(image.shape)
    compiled = core.compile_model(model, "CPU", {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32"})
    return compiled(image)[0]


if __name__ == "__main__":
    framework, files, number = sys.argv[1:]
    logits = globals()[f"with_{framework}"](files, int(number),
                                            numpy.load(os.path.join(files, "image.npy")))
    print(json.dumps({"class": int(logits[0].argmax())}))
