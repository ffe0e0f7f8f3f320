// Vectors of TLS 1.2's key schedule. The PRF's are those that were sent to the IETF's TLS list in 2009 (mailarchive.ietf.org,
// «Test vectors for TLS 1.2 PRF»); the others are NIST's for RFC 7627 (github.com/usnistgov/ACVP-Server,
// gen-val/json-files/TLS-v1.2-KDF-RFC7627: test cases 1 and 25; a work of the United States government, free to use).

export const PRF = [
  {
    hash: "sha256",
    secret: "9bbe436ba940f017b17652849a71db35",
    seed: "a0ba9f936cda311827a6f796ffd5198c",
    output:
      "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af" +
      "0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701" +
      "87347b66",
  },
  {
    hash: "sha384",
    secret: "b80b733d6ceefcdc71566ea48e5567df",
    seed: "cd665cf6a8447dd6ff8b27555edb7465",
    output:
      "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0" +
      "e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425" +
      "9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e099070" +
      "3d73e56f",
  },
] as const;

/** `keyBlock` is longer than any suite needs. */
export const EXTENDED_MASTER_SECRET = [
  {
    hash: "sha256",
    shared:
      "8252b983a6459a6fb3b9debe8725247e276139ebf7c9adccdd7d240f3ada7f5e3351b2769b6c8dc169a6d799c3c0ffeb",
    session: "1359d7df74cb27c67f74c98d521d442b887eaf0decf6e382c62434d6c3dd7d0d",
    client: "abe7af69affc5e0944f4009b3e7abd1cc0a5cce8db055eff4a509e5b6de9475a",
    server: "50e0a1a1fd64a55259781a5c22580a81f99799c32f52d3f48d2c10c5c692e289",
    master:
      "43a5e821fcf5446c712207f7cd161ed213ee3b9d001d418c57231befd596b583ecd55ab2c4456b02738698f90bc59ac0",
    keyBlock:
      "4886e75be82dd4fb73c540729072d3e29b93c164e1cffe071f1212b1237b98dc0b0a5895f331f7180ceb30b17bb8c3e9" +
      "2a074b26325ff975237dbd22320c0b88d64931f39c777b1527d36a999ad5fe5ee7f53fc42a509beb22634b17ec7b768e" +
      "af6a87977cf8670b34d0a76ebce6a659dab6c15b4b86b98b9a63c50bbe1e2a09",
  },
  {
    hash: "sha384",
    shared:
      "25f3abef0a3c865e61e84bc5fa13b21a9baf7ad0fa2d183406a326c72af3a044930dff6857a74e5aeef3a1f54138c1d7",
    session:
      "65ee0b3e94dc61b257cc6946a99d0825881798ea40cc92b8f9cd13ebb53d0b9fe01ef873dc0d311eb1ffc2cf4533265d",
    client: "adba39368903e53e359a745a6ab6841985c6bff63d8d3a584a393d6ee46b5b68",
    server: "1f13af3988a535c0f30a8354b97a569bf3618fdc0c5053cfe819332d8fd866a3",
    master:
      "3668965ba375b17dafe4d764c0534de0c609ba57757cdebcd6a0cc85855b65bd5a68603265025e1c3b8e487fad0ab4e1",
    keyBlock:
      "76bbeae94641ee5af3367d1730eb349248ac6e7d071940b63b03861b6f891d5cef04b42d765deffcc9ef117eb9db56c6" +
      "e22f9ef8887ee0c32310f2c7247f7eb86465a317f638d939887bf1fe6c6e733bdf39bb8237fb7a36a1ca574c97aebaff" +
      "3cab10158a80b075ce1acb0fafb1b9781848c63b3c4c0b7c10ecfdd5c678df7d",
  },
] as const;
