// Official vectors of the primitives, as hexadecimal numbers. Each table names where it comes from.

/** C tor's `ed25519_vectors.inc`: each key signs its own 32 bytes. */
export const TOR_ED25519: readonly { publicKey: string; signature: string }[] = [
  {
    publicKey: "c2247870536a192d142d056abefca68d6193158e7c1a59c1654c954eccaff894",
    signature:
      "d23188eac3773a316d46006fa59c095060be8b1a23582a0dd99002a82a0662bd246d8449e172e04c5f46ac0d1404cebe" +
      "4aabd8a75a1457aa06cae41f3334f104",
  },
  {
    publicKey: "1519a3b15816a1aafab0b213892026ebf5c0dc232c58b21088d88cb90e9b940d",
    signature:
      "3a785ac1201c97ee5f6f0d99323960d5f264c7825e61aa7cc81262f15bef75eb4fa5723add9b9d45b12311b6d403eb3a" +
      "c79ff8e4e631fc3cd51e4ad2185b200b",
  },
  {
    publicKey: "081faa81992e360ea22c06af1aba096e7a73f1c665bc8b3e4e531c46455fd1dd",
    signature:
      "cf431fd0416bfbd20c9d95ef9b723e2acddffb33900edc72195dea95965d52d888d30b7b8a677c0bd8ae1417b1e1a0ec" +
      "6700deadd5d8b54b6689275e04a04509",
  },
  {
    publicKey: "73cfa1189a723aad7966137cbffa35140bb40d7e16eae4c40b79b5f0360dd65a",
    signature:
      "2375380cd72d1a6c642aeddff862be8a5804b916acb72c02d9ed052c1561881aa658a5af856fcd6d43113e42f698cd66" +
      "87c99efeef7f2ce045824440d26c5d00",
  },
  {
    publicKey: "66c1a77104d86461b6f98f73acf3cd229c80624495d2d74d6fda1e940080a96b",
    signature:
      "2385a472f599ca965bbe4d610e391cdeabeba9c336694b0d6249e551458280be122c2441dd9746a81bbfb9cd619364ba" +
      "b0df37ff4ceb7aefd24469c39d3bc508",
  },
  {
    publicKey: "d21c294db0e64cb2d8976625786ede1d9754186ae8197a64d72f68c792eecc19",
    signature:
      "e500cd0b8cfff35442f88008d894f3a2fa26ef7d3a0ca5714ae0d3e2d40caae58ba7cdf69dd126994dad6be536fcda84" +
      "6d89dd8138d1683cc144c8853dce7607",
  },
  {
    publicKey: "c4d58b4cf85a348ff3d410dd936fa460c4f18da962c01b1963792b9dcc8a6ea6",
    signature:
      "d187b9e334b0050154de10bf69b3e4208a584e1a65015ec28b14bcc252cf84b8baa9c94867daa60f2a82d09ba9652d41" +
      "e8dde292b624afc8d2c26441b95e3c0e",
  },
  {
    publicKey: "95126f14d86494020665face03f2d42ee2b312a85bc729903eb17522954a1c4a",
    signature:
      "815213640a643d198bd056e02bba74e1c8d2d931643e84497adf3347eb485079c9afe0afce9284cdc084946b561abbb2" +
      "14f1304ca11228ff82702185cf28f60d",
  },
];

/** No point of the curve; from `ed25519_validation` in C tor's test_crypto.c. */
export const TOR_ED25519_OFF_CURVE = "e19c65de75c68cf3b7643ea732ba9eb1a3d20d6d57ba223c2ece1df66feb5af0";

/** RFC 8032 7.1, tests 1 to 3 and SHA(abc). */
export const RFC8032: readonly { publicKey: string; message: string; signature: string }[] = [
  {
    publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    message: "",
    signature:
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b" +
      "d25bf5f0595bbe24655141438e7a100b",
  },
  {
    publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    message: "72",
    signature:
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c" +
      "387b2eaeb4302aeeb00d291612bb0c00",
  },
  {
    publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    message: "af82",
    signature:
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659" +
      "4a7c15e9716ed28dc027beceea1ec40a",
  },
  {
    publicKey: "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
    message:
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd" +
      "454d4423643ce80e2a9ac94fa54ca49f",
    signature:
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030" +
      "3dca179c138ac17ad9bef1177331a704",
  },
];

/** RFC 7748 5.2 and 6.1: a private key, the peer's public key, the shared secret. */
export const RFC7748: readonly { privateKey: string; peer: string; shared: string }[] = [
  {
    privateKey: "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
    peer: "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
    shared: "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
  },
  {
    privateKey: "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
    peer: "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
    shared: "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
  },
  {
    privateKey: "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
    peer: "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
    shared: "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
  },
  {
    privateKey: "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    peer: "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    shared: "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
  },
];

/** RFC 7748 6.1: the key pairs of the Diffie-Hellman example. */
export const RFC7748_KEYS: readonly { privateKey: string; publicKey: string }[] = [
  {
    privateKey: "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
    publicKey: "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
  },
  {
    privateKey: "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    publicKey: "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
  },
];

/** u-coordinates of small order (RFC 7748 6.1 and 7; their canonical encodings). */
export const X25519_SMALL_ORDER: readonly string[] = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/** NIST SP 800-38A F.5: CTR with AES-128 and AES-256, one plaintext. */
export const SP800_38A = {
  counter: "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
  plaintext:
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
  cases: [
    {
      key: "2b7e151628aed2a6abf7158809cf4f3c",
      ciphertext:
        "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff" +
        "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
    },
    {
      key: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
      ciphertext:
        "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5" +
        "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
    },
  ],
} as const;

/** NIST SP 800-38A F.1.1: AES-128, plaintext and ciphertext of each block. */
export const SP800_38A_ECB = {
  key: "2b7e151628aed2a6abf7158809cf4f3c",
  blocks: [
    ["6bc1bee22e409f96e93d7e117393172a", "3ad77bb40d7a3660a89ecaf32466ef97"],
    ["ae2d8a571e03ac9c9eb76fac45af8e51", "f5d3d58503b9699de785895a96fdbaaf"],
    ["30c81c46a35ce411e5fbc1191a0a52ef", "43b1cd7f598ece23881b00e3ed030688"],
    ["f69f2445df4f9b17ad2b417be66c3710", "7b0c785e27e8ad3f8223207104725dd4"],
  ],
} as const;

/** RFC 5869 A.1 to A.3 (HKDF-SHA256). */
export const RFC5869: readonly { ikm: string; salt: string; info: string; prk: string; okm: string }[] = [
  {
    ikm: "0b".repeat(22),
    salt: "000102030405060708090a0b0c",
    info: "f0f1f2f3f4f5f6f7f8f9",
    prk: "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
    okm: "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
  },
  {
    ikm: range(0x00, 0x4f),
    salt: range(0x60, 0xaf),
    info: range(0xb0, 0xff),
    prk: "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
    okm:
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09" +
      "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
  },
  {
    ikm: "0b".repeat(22),
    salt: "",
    info: "",
    prk: "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
    okm: "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
  },
];

/** Tor's KDF-TOR: 100 bytes out of the ASCII text (test_crypto.c). */
export const KDF_TOR: readonly { k0: string; okm: string }[] = [
  {
    k0: "",
    okm:
      "5ba93c9db0cff93f52b521d7420e43f6eda2784fbf8b4530d8d246dd74ac53a13471bba17941dff7c4ea21bb365bbeea" +
      "f5f2c654883e56d11e43c44e9842926af7ca0a8cca12604f945414f07b01e13da42c6cf1de3abfdea9b95f34687cbbe9" +
      "2b9a7383",
  },
  {
    k0: "Tor",
    okm:
      "776c6214fc647aaa5f683c737ee66ec44f03d0372e1cce69227950f236ddf1e329a7ce7c227903303f525a8c6662426e" +
      "8034870642a6dabbd41b5d97ec9bf2312ea729992f48f8ea2d0ba83f45dfda1a80bdc8b80de01b23e3e0ffae099b3e4c" +
      "cf28dc28",
  },
  {
    k0: "AN ALARMING ITEM TO FIND ON A MONTHLY AUTO-DEBIT NOTICE",
    okm:
      "a340b5d126086c3ab29c2af4179196dbf95e1c72431419d3314844bf8f6afb6098db952b95581fb6c33625709d6f4400" +
      "b8e7ace18a70579fad83c0982ef73f89395bcc39493ad53a685854daf2ba9b78733b805d9a6824c907ee1dba5ac27a1e" +
      "466d4d10",
  },
];

/** ntor's use of HKDF-SHA256 (tor-spec 5.2.2): 100 bytes out of the ASCII text, with ntor's salt and info (test_crypto.c). */
export const KDF_NTOR: readonly { ikm: string; okm: string }[] = [
  {
    ikm: "Tor",
    okm:
      "5521492a85139a8d9107a2d5c0d9c91610d0f95989975ebee6c02a4f8d622a6cfdf9b7c7edd3832e2760ded1eac309b7" +
      "6f8d66c4a3c4d6225429b3a016e3c3d45911152fc87bc2de9630c3961be9fdb9f93197ea8e5977180801926d3321fa21" +
      "513e59ac",
  },
  {
    ikm: "AN ALARMING ITEM TO FIND ON YOUR CREDIT-RATING STATEMENT",
    okm:
      "a2aa9b50da7e481d30463adb8f233ff06e9571a0ca6ab6df0fb206fa34e5bc78d063fc291501beec53b36e5a0e434561" +
      "200c5f8bd13e0f88b3459600b4dc21d69363e2895321c06184879d94b18f078411be70b767c7fc40679a9440a0c95ea8" +
      "3a23efbf",
  },
];

/** An RSA key of 1024 bits made for these tests; its modulus is below 0.65 * 2^1024, so that sums with it still fit 128 bytes. */
export const RSA_1024_JWK = {
  kty: "RSA",
  n: "l3iT0yuroIZb2rfyQYAj2T7YLXwxelPiPDHjs4lbTfm44mVd7DaP38M1Scw37xMKBk_Xb2O5Rig3NEl_wT9PrqjtrWldsBWv1AXviEZneFI4vNR9KUHB8mqy9vVeB60LLVndqOklLF9jINU2teBuCyo_AxYaFbreT6KzGYe3wnk",
  e: "AQAB",
  d: "RpgbzT99LcNw6-7vKTfffVCc0BYhuTF_Ly7RQMuzkhPg5yL3My_6vf7sxwg2yWXGNkrfzTpdDyWPFP9sW1R2fekP3Js4q7yp3pJZTrNtYn0lwRckyfRbwEQWP3SU-Dz4jlNcCe34xFv-zr8YtihN9Zlc_ntmFnod6kL-EbuH_0E",
  p: "xRVKJbU33D4vHnreo1UfZKzXtBq8AM-T_gE1EzgkAGTbS61IdHXpjxBs5iLkLTEYp3m_h_uCiDsWg28iOkyQww",
  q: "xMCasIEemYw8eHzVg_4uu1LIUhY_csjkhw7LUFeq7uOk9ucLwPdBB9CIxU8un8JDC2X8aTQD-b3fZomoxcKsEw",
  dp: "rzMh2yuiIPRWxu3Lhb9iTQkqKD2r67ycfy1rlU5PEtqV6Ex_IKjBnCCp7lwOI-6FUDx2-9emTpzYgrcE4na2KQ",
  dq: "NMo4twLt4uTtlKZp43BfuYMMnHm7rGCacGJXysa65j3OFTEIxk2Q9TfOeqI0MEk_E9_ZSaDbMDbxqeFllyoUYQ",
  qi: "qKwFYbgoK1rqOWRsGVFn4Qu7g84lpxdaBpa5R5pZVDYkI7686uHzhUOIMKpZ6813bTYzgvyFPRALJHRAJ-Yn8A",
};

function range(from: number, to: number): string {
  let hex = "";
  for (let i = from; i <= to; i++) hex += i.toString(16).padStart(2, "0");
  return hex;
}
