"""The data plane: tensors from worker to worker, over gRPC, checked before they are believed."""
