package dev.anneal.training.collective.rendezvous;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** What the ranks of a run know and nobody else; it is proven and never sent. */
public final class SharedSecret {
  /** Bytes of a secret, of a nonce and of a proof. */
  static final int BYTES = 32;

  private static final String HMAC = "HmacSHA256";

  private final SecretKeySpec key;

  private SharedSecret(byte[] key) {
    this.key = new SecretKeySpec(key, HMAC);
  }

  static SharedSecret random() {
    return new SharedSecret(nonce());
  }

  /** The secret that {@link #toText} wrote. */
  static SharedSecret of(String text) {
    return new SharedSecret(HexFormat.of().parseHex(text));
  }

  String toText() {
    return HexFormat.of().formatHex(key.getEncoded());
  }

  /** Random bytes that were never there before. */
  static byte[] nonce() {
    byte[] bytes = new byte[BYTES];
    new SecureRandom().nextBytes(bytes);
    return bytes;
  }

  /**
   * The HMAC that shows to whoever gave the nonces that {@code who} knows the secret.
   *
   * @param nonces each {@link #BYTES} long
   */
  byte[] prove(String who, byte[]... nonces) {
    try {
      Mac mac = Mac.getInstance(HMAC);
      mac.init(key);
      for (byte[] nonce : nonces) {
        mac.update(nonce);
      }
      return mac.doFinal(who.getBytes(StandardCharsets.UTF_8));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java has " + HMAC, e);
    }
  }

  /** Whether {@code proof} is that of {@code who}; takes the same time either way. */
  boolean isProof(byte[] proof, String who, byte[]... nonces) {
    return MessageDigest.isEqual(proof, prove(who, nonces));
  }
}
