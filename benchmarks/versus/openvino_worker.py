"""OpenVINO as a worker (worker.py), in one of its two modes: latency, one batch after the other on
all threads; throughput, as many batches at a time as OpenVINO finds best, each on its share of
them."""
import argparse
import os
import time

import openvino

from worker import check_single_precision, reference, serve, timed

parser = argparse.ArgumentParser()
parser.add_argument("--mode", choices=("LATENCY", "THROUGHPUT"), default="LATENCY")
mode = parser.parse_args().mode


def versions():
    return {"openvino": openvino.__version__}


def prepare(request):
    core = openvino.Core()
    model = core.read_model(os.path.join(request["files"], "alexnet.onnx"))
    image, expected = reference(request)
    model.reshape(image.shape)
    compiled = core.compile_model(model, "CPU", {
        "PERFORMANCE_HINT": mode, "INFERENCE_NUM_THREADS": request["threads"],
        "INFERENCE_PRECISION_HINT": "f32"})
    if mode == "LATENCY":
        request_ = compiled.create_infer_request()

        def step():
            return request_.infer({0: image}, share_inputs=True, share_outputs=True)[0]

        check_single_precision(step(), expected)
        step()
        return timed(step)

    queue = openvino.AsyncInferQueue(compiled)  # its length: OPTIMAL_NUMBER_OF_INFER_REQUESTS

    def run(repeat):
        batches = max(2, repeat) * len(queue)
        start = time.perf_counter()
        for _ in range(batches):
            queue.start_async({0: image}, share_inputs=True)
        queue.wait_all()
        return (time.perf_counter() - start) / batches

    run(2)
    check_single_precision(queue[0].get_output_tensor().data, expected)
    return run


if __name__ == "__main__":
    serve(versions, prepare)
