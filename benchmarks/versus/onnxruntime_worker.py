"""ONNX Runtime as a worker (worker.py)."""
import os

import onnxruntime

from worker import check_single_precision, reference, serve, timed


def versions():
    return {"onnxruntime": onnxruntime.__version__}


def prepare(request):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = request["threads"]
    options.inter_op_num_threads = 1
    graph = os.path.join(request["files"], "alexnet-plain-lrn.onnx")  # files.py says why
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    image, expected = reference(request)

    def step():
        return session.run(None, {"image": image})[0]

    check_single_precision(step(), expected)
    step()
    return timed(step)


if __name__ == "__main__":
    serve(versions, prepare)
