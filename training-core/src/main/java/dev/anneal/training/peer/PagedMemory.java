package dev.anneal.training.peer;

import dev.anneal.training.cuda.DeviceMemoryException;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.tensor.Device;
import java.util.List;
import org.bytedeco.cuda.cudart.CUmemAccessDesc_v1;
import org.bytedeco.cuda.cudart.CUmemAllocationProp_v1;
import org.bytedeco.cuda.cudart.CUmemLocation_v1;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * Physical pages of a GPU at addresses of their own, with access for the GPUs that are named and no
 * others (CUDA's virtual memory management).
 *
 * @param calls tells what has failed
 */
record PagedMemory(Device device, CudaPeerDriver calls) {
  /** Peers only read; whether a GPU gives its pages to another for reading alone was not tried. */
  private static final int ACCESS = cudart.CU_MEM_ACCESS_FLAGS_PROT_READWRITE;

  /** What every size must be a multiple of; 2 MiB so far. */
  long granularity() throws NoPeerAccessException {
    int[] supported = new int[1];
    calls.succeed(
        cudart.cuDeviceGetAttribute(
            supported,
            cudart.CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED,
            device.cuda()),
        "cuDeviceGetAttribute");
    if (supported[0] == 0) {
      throw new NoPeerAccessException(
          "%s has no memory that is mapped for other GPUs by itself".formatted(device));
    }
    try (CUmemAllocationProp_v1 pages = pages();
        SizeTPointer bytes = new SizeTPointer(1)) {
      calls.succeed(
          cudart.cuMemGetAllocationGranularity(
              bytes, pages, cudart.CU_MEM_ALLOC_GRANULARITY_RECOMMENDED),
          "cuMemGetAllocationGranularity");
      return bytes.get();
    }
  }

  long allocate(long bytes, List<Integer> readers) throws NoPeerAccessException {
    long[] handle = {create(bytes)};
    long[] address = new long[1];
    boolean mapped = false;
    boolean done = false;
    try {
      calls.succeed(cudart.cuMemAddressReserve(address, bytes, 0, 0, 0), "cuMemAddressReserve");
      calls.succeed(cudart.cuMemMap(address[0], bytes, 0, handle[0], 0), "cuMemMap");
      mapped = true;
      try (CUmemAccessDesc_v1 access = access(readers)) {
        calls.succeed(
            cudart.cuMemSetAccess(address[0], bytes, access, readers.size() + 1L),
            "cuMemSetAccess");
      }
      done = true;
      return address[0];
    } finally {
      // the mapping keeps the pages
      cudart.cuMemRelease(handle[0]);
      if (!done && mapped) {
        cudart.cuMemUnmap(address[0], bytes);
      }
      if (!done && address[0] != 0) {
        cudart.cuMemAddressFree(address[0], bytes);
      }
    }
  }

  /** Pages without an address. */
  private long create(long bytes) throws NoPeerAccessException {
    long[] handle = new long[1];
    try (CUmemAllocationProp_v1 pages = pages()) {
      int error = cudart.cuMemCreate(handle, bytes, pages, 0);
      if (error == cudart.CUDA_ERROR_OUT_OF_MEMORY) {
        // libtorch may keep what an earlier run of this process had
        new GpuMemory(device).emptyOwnCache();
        error = cudart.cuMemCreate(handle, bytes, pages, 0);
      }
      if (error == cudart.CUDA_ERROR_OUT_OF_MEMORY) {
        throw new DeviceMemoryException(bytes, "weights that other ranks read (cuMemCreate)");
      }
      calls.succeed(error, "cuMemCreate");
      return handle[0];
    }
  }

  private CUmemAllocationProp_v1 pages() {
    CUmemAllocationProp_v1 pages = new CUmemAllocationProp_v1();
    Pointer.memset(pages, 0, pages.sizeof());
    pages.type(cudart.CU_MEM_ALLOCATION_TYPE_PINNED);
    pages.requestedHandleTypes(cudart.CU_MEM_HANDLE_TYPE_NONE);
    try (CUmemLocation_v1 here = location(device.cuda())) {
      pages.location(here);
    }
    return pages;
  }

  private CUmemAccessDesc_v1 access(List<Integer> readers) {
    CUmemAccessDesc_v1 all = new CUmemAccessDesc_v1(readers.size() + 1L);
    Pointer.memset(all, 0, (long) all.sizeof() * (readers.size() + 1));
    for (int i = 0; i <= readers.size(); i++) {
      int gpu = i == 0 ? device.cuda() : readers.get(i - 1);
      try (CUmemLocation_v1 there = location(gpu)) {
        all.position(i).location(there).flags(ACCESS);
      }
    }
    return all.position(0);
  }

  private static CUmemLocation_v1 location(int gpu) {
    return new CUmemLocation_v1().type(cudart.CU_MEM_LOCATION_TYPE_DEVICE).id(gpu);
  }

  void free(long address, long bytes) {
    calls.require(cudart.cuMemUnmap(address, bytes), "cuMemUnmap");
    calls.require(cudart.cuMemAddressFree(address, bytes), "cuMemAddressFree");
  }
}
