package dev.anneal.training.peer;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/**
 * What a rank tells its peers of memory that they are to read.
 *
 * @param trouble why it can share none; empty if it can
 * @param probe a number that the last region holds
 * @param handles of the allocations that regions lie in, each once; none where all ranks are
 *     threads of one process
 */
record SharedMemory(String trouble, long probe, List<byte[]> handles, List<Region> regions) {
  /**
   * A tensor.
   *
   * @param address in the rank's own process; 0 where there are no bytes
   * @param handle number of its allocation among the handles; -1 without one
   * @param offset from the allocation's beginning
   */
  record Region(long address, long bytes, int handle, long offset) {}

  static SharedMemory none(String trouble) {
    return new SharedMemory(trouble, 0, List.of(), List.of());
  }

  byte[] encode() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeUTF(trouble);
      out.writeLong(probe);
      out.writeInt(handles.size());
      for (byte[] handle : handles) {
        out.write(handle);
      }
      out.writeInt(regions.size());
      for (Region region : regions) {
        out.writeLong(region.address());
        out.writeLong(region.bytes());
        out.writeInt(region.handle());
        out.writeLong(region.offset());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  static SharedMemory decode(byte[] bytes) {
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      String trouble = in.readUTF();
      long probe = in.readLong();
      List<byte[]> handles = new ArrayList<>();
      for (int left = in.readInt(); left > 0; left--) {
        handles.add(in.readNBytes(PeerDriver.HANDLE_BYTES));
      }
      List<Region> regions = new ArrayList<>();
      for (int left = in.readInt(); left > 0; left--) {
        regions.add(new Region(in.readLong(), in.readLong(), in.readInt(), in.readLong()));
      }
      return new SharedMemory(trouble, probe, List.copyOf(handles), List.copyOf(regions));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
