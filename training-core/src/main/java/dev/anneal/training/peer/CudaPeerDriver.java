package dev.anneal.training.peer;

import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.tensor.Device;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.bytedeco.cuda.cudart.CUipcMemHandle_v1;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * A GPU by CUDA's driver API: pages mapped for several GPUs between threads of a process, IPC
 * handles between processes, and stream memory operations on page-locked words.
 *
 * <p>{@code cudaDeviceEnablePeerAccess} is not called, which would give every later allocation of
 * one GPU to the other.
 */
public final class CudaPeerDriver implements PeerDriver {
  private static final int SUCCESS = cudart.cudaSuccess;
  private static final int BUS_ID_BYTES = 32;

  private final Device device;

  /** For {@code device}, which is the current one of the calling thread. */
  public CudaPeerDriver(Device device) {
    this.device = device;
    require(cudart.cudaFree(null), "the context");
  }

  @Override
  public PeerIdentity identity() throws NoPeerAccessException {
    byte[] id = new byte[BUS_ID_BYTES];
    succeed(cudart.cudaDeviceGetPCIBusId(id, id.length, device.cuda()), "cudaDeviceGetPCIBusId");
    String busId = new String(id, StandardCharsets.US_ASCII).replace("\0", "");
    return PeerIdentity.of(device.cuda(), busId);
  }

  @Override
  public void synchronize() {
    require(cudart.cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  }

  @Override
  public long granularity() throws NoPeerAccessException {
    return mapping().granularity();
  }

  @Override
  public long allocate(long bytes, List<Integer> readers) throws NoPeerAccessException {
    for (int reader : readers) {
      requireReads(reader);
    }
    return mapping().allocate(bytes, readers);
  }

  private void requireReads(int reader) throws NoPeerAccessException {
    int[] can = new int[1];
    succeed(cudart.cudaDeviceCanAccessPeer(can, reader, device.cuda()), "cudaDeviceCanAccessPeer");
    if (can[0] == 0) {
      throw new NoPeerAccessException(
          "GPU %s cannot read the memory of %s".formatted(reader, device));
    }
  }

  @Override
  public void free(long address, long bytes) {
    makeCurrent();
    mapping().free(address, bytes);
  }

  private PagedMemory mapping() {
    return new PagedMemory(device, this);
  }

  @Override
  public long base(long address) throws NoPeerAccessException {
    long[] base = new long[1];
    try (SizeTPointer bytes = new SizeTPointer(1)) {
      succeed(cudart.cuMemGetAddressRange(base, bytes, address), "cuMemGetAddressRange");
      return base[0];
    }
  }

  @Override
  public byte[] export(long base) throws NoPeerAccessException {
    try (CUipcMemHandle_v1 handle = new CUipcMemHandle_v1()) {
      succeed(cudart.cuIpcGetMemHandle(handle, base), "cuIpcGetMemHandle");
      byte[] bytes = new byte[HANDLE_BYTES];
      for (int i = 0; i < bytes.length; i++) {
        bytes[i] = handle.reserved(i);
      }
      return bytes;
    }
  }

  @Override
  public long open(byte[] handle) throws NoPeerAccessException {
    long[] base = new long[1];
    try (CUipcMemHandle_v1 peers = new CUipcMemHandle_v1()) {
      for (int i = 0; i < handle.length; i++) {
        peers.reserved(i, handle[i]);
      }
      succeed(
          cudart.cuIpcOpenMemHandle(base, peers, cudart.CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
          "cuIpcOpenMemHandle");
      return base[0];
    }
  }

  @Override
  public void close(long opened) {
    makeCurrent();
    require(cudart.cuIpcCloseMemHandle(opened), "cuIpcCloseMemHandle");
  }

  @Override
  public long map(ByteBuffer memory) throws NoPeerAccessException {
    try (BytePointer pages = new BytePointer(memory)) {
      succeed(
          cudart.cuMemHostRegister(
              pages,
              memory.capacity(),
              cudart.CU_MEMHOSTREGISTER_PORTABLE | cudart.CU_MEMHOSTREGISTER_DEVICEMAP),
          "cuMemHostRegister");
      long[] address = new long[1];
      succeed(cudart.cuMemHostGetDevicePointer(address, pages, 0), "cuMemHostGetDevicePointer");
      return address[0];
    }
  }

  @Override
  public void unmap(ByteBuffer memory) {
    makeCurrent();
    try (BytePointer pages = new BytePointer(memory)) {
      require(cudart.cuMemHostUnregister(pages), "cuMemHostUnregister");
    }
  }

  /** A thread that has not yet used CUDA has no context for the driver API. */
  private void makeCurrent() {
    require(cudart.cudaSetDevice(device.cuda()), "cudaSetDevice");
    require(cudart.cudaFree(null), "the context");
  }

  @Override
  public CopyStream on(CudaStream stream) {
    return new Copies(stream.handle());
  }

  private final class Copies implements CopyStream {
    private final CUstream_st stream;

    Copies(CUstream_st stream) {
      this.stream = stream;
    }

    @Override
    public void copy(long to, long from, long bytes) {
      // addresses are unified: which devices they lie on, the driver knows
      require(cudart.cuMemcpyAsync(to, from, bytes, stream), "cuMemcpyAsync");
    }

    @Override
    public void await(long word, int value) {
      require(
          cudart.cuStreamWaitValue32(stream, word, value, cudart.CU_STREAM_WAIT_VALUE_GEQ),
          "cuStreamWaitValue32");
    }

    @Override
    public void write(long word, int value) {
      // by default behind a fence for the whole system
      require(
          cudart.cuStreamWriteValue32(stream, word, value, cudart.CU_STREAM_WRITE_VALUE_DEFAULT),
          "cuStreamWriteValue32");
    }
  }

  void require(int error, String call) {
    if (error != SUCCESS) {
      throw new IllegalStateException(failed(error, call));
    }
  }

  void succeed(int error, String call) throws NoPeerAccessException {
    if (error != SUCCESS) {
      // the runtime's is kept until somebody asks for it
      cudart.cudaGetLastError();
      throw new NoPeerAccessException(failed(error, call));
    }
  }

  /** The driver's and the runtime's numbers of errors are the same. */
  private String failed(int error, String call) {
    try (PointerPointer<Pointer> name = new PointerPointer<>(1)) {
      cudart.cuGetErrorName(error, name);
      Pointer text = name.get();
      return "%s failed on %s: %s"
          .formatted(
              call, device, text == null ? "error " + error : new BytePointer(text).getString());
    }
  }
}
