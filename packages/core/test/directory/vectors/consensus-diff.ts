// Consensus diffs of others: a base and a diff of a private network of 2020 from arti's test data
// (crates/tor-consdiff/testdata), and the scripts and digests of C tor's src/test/test_consdiff.c.

export const ARTI_BASE = `network-status-version 3 microdesc
vote-status consensus
consensus-method 30
valid-after 2020-12-14 19:10:00
fresh-until 2020-12-14 19:10:20
valid-until 2020-12-14 19:10:40
voting-delay 4 4
client-versions 
server-versions 
known-flags Authority Exit Fast Guard HSDir NoEdConsensus Running Stable StaleDesc V2Dir Valid
recommended-client-protocols Cons=2 Desc=2 DirCache=2 HSDir=2 HSIntro=4 HSRend=2 Link=4-5 Microdesc=2 Relay=2
recommended-relay-protocols Cons=2 Desc=2 DirCache=2 HSDir=2 HSIntro=4 HSRend=2 Link=4-5 LinkAuth=3 Microdesc=2 Relay=2
required-client-protocols Cons=2 Desc=2 Link=4 Microdesc=2 Relay=2
required-relay-protocols Cons=2 Desc=2 DirCache=2 HSDir=2 HSIntro=4 HSRend=2 Link=4-5 LinkAuth=3 Microdesc=2 Relay=2
shared-rand-previous-value 3 vNC0jchsgVXP0lSjLAYpv76hOmD/bBnP5kYVHEFZa0g=
shared-rand-current-value 3 bMZR5Q6kBadzApPjd5dZ1tyLt1ckv1LfNCP/oyGhCXs=
dir-source test002a 3E53F6F21D09BB0AD70324EB3FEF6C73D8743534 127.0.0.1 127.0.0.1 7002 5002
contact auth2@test.test
vote-digest A76889011BB65C1C1C9E2A9D2B769F5D0956C8C6
dir-source test001a B4CEBF317867DF2772F5901C492152376C18710C 127.0.0.1 127.0.0.1 7001 5001
contact auth1@test.test
vote-digest FC5980A4EBA1C20A321A1887050BE0A5FAEA9184
dir-source test000a BAF7E250984702BF0E03F25B4E3EC19DBA20FCD2 127.0.0.1 127.0.0.1 7000 5000
contact auth0@test.test
vote-digest 93C01CF7237B4BC00DE5E33032196C2E53ED446B
r test005r DPoNs5PPvbPjTsEI+78Ucon9tVo 2020-12-14 03:42:32 127.0.0.1 5005 7005
m JKu+pk5gA/6KTJBwmY8zesq37IU6UGForhVW6Pq6AUo
s Exit Fast Guard HSDir Running Stable V2Dir Valid
v Tor 0.4.6.0-alpha-dev
pr Cons=1-2 Desc=1-2 DirCache=1-2 FlowCtrl=1 HSDir=1-2 HSIntro=3-5 HSRend=1-2 Link=1-5 LinkAuth=1,3 Microdesc=1-2 Padding=2 Relay=1-3
w Bandwidth=1 Unmeasured=1
r test002a QtS+P906r9KsGtMpKkOowlK+Cls 2020-12-14 03:42:24 127.0.0.1 5002 7002
m QxfB3i6thZ6vgvovto5mD24nP3E/Q6q6NQ112hq4luQ
s Authority Exit Fast Guard HSDir Running Stable V2Dir Valid
v Tor 0.4.6.0-alpha-dev
pr Cons=1-2 Desc=1-2 DirCache=1-2 FlowCtrl=1 HSDir=1-2 HSIntro=3-5 HSRend=1-2 Link=1-5 LinkAuth=1,3 Microdesc=1-2 Padding=2 Relay=1-3
w Bandwidth=4 Unmeasured=1
r test004r RsyuV0/qSg+3XjT4ncEeyR3SY0w 2020-12-14 03:42:29 127.0.0.1 5004 7004
m 9pvK78vtoUqZfo1g8jyBK75cOEV2Ho2p37LxRtBSaXk
s Exit Fast Guard HSDir Running Stable V2Dir Valid
v Tor 0.4.6.0-alpha-dev
pr Cons=1-2 Desc=1-2 DirCache=1-2 FlowCtrl=1 HSDir=1-2 HSIntro=3-5 HSRend=1-2 Link=1-5 LinkAuth=1,3 Microdesc=1-2 Padding=2 Relay=1-3
w Bandwidth=1 Unmeasured=1
r test006r ef1rumJ0nOBaosU1PQtCURNO9Ic 2020-12-14 03:42:27 127.0.0.1 5006 7006
m Rlgyl9CG7f0T1fKO5UHWGKNwcxObrDCL1qFJ1nIYybU
s Exit Fast Guard HSDir Running Stable V2Dir Valid
v Tor 0.4.6.0-alpha-dev
pr Cons=1-2 Desc=1-2 DirCache=1-2 FlowCtrl=1 HSDir=1-2 HSIntro=3-5 HSRend=1-2 Link=1-5 LinkAuth=1,3 Microdesc=1-2 Padding=2 Relay=1-3
w Bandwidth=1 Unmeasured=1
r test000a htyPQJ4CC2qhNCRR8OdmyLfP9b8 2020-12-14 03:42:24 127.0.0.1 5000 7000
m sY9Ycuv2qV373vcfsKZFH5mGdPagdD3Z3Qw+BUgoH0o
s Authority Exit Fast Guard HSDir Running Stable V2Dir Valid
v Tor 0.4.6.0-alpha-dev
pr Cons=1-2 Desc=1-2 DirCache=1-2 FlowCtrl=1 HSDir=1-2 HSIntro=3-5 HSRend=1-2 Link=1-5 LinkAuth=1,3 Microdesc=1-2 Padding=2 Relay=1-3
w Bandwidth=5 Unmeasured=1
r test003r rgKUw1NQ/A27UQtISQsoPAoFl7A 2020-12-14 03:42:28 127.0.0.1 5003 7003
m VH3vxOCMR/LJoZ4uhjp0VmeMFT0uO8g41tzHpzjO9K8
s Exit Fast Guard HSDir Running Stable V2Dir Valid
v Tor 0.4.6.0-alpha-dev
pr Cons=1-2 Desc=1-2 DirCache=1-2 FlowCtrl=1 HSDir=1-2 HSIntro=3-5 HSRend=1-2 Link=1-5 LinkAuth=1,3 Microdesc=1-2 Padding=2 Relay=1-3
w Bandwidth=1 Unmeasured=1
r test001a 8eUXcNFYY2EExHX9Ece8vM044Uk 2020-12-14 03:42:23 127.0.0.1 5001 7001
m ekUObdf3yueSU6qv0IqibU/FDriVmEMUYk2BSo9i3wU
s Authority Exit Fast Guard HSDir Running Stable V2Dir Valid
v Tor 0.4.6.0-alpha-dev
pr Cons=1-2 Desc=1-2 DirCache=1-2 FlowCtrl=1 HSDir=1-2 HSIntro=3-5 HSRend=1-2 Link=1-5 LinkAuth=1,3 Microdesc=1-2 Padding=2 Relay=1-3
w Bandwidth=4 Unmeasured=1
r test007r /GXt6jhNvRo50x9nxnKwT4FPNY0 2020-12-14 03:42:54 127.0.0.1 5007 7007
m U+Owqmt9WzLdTlF8PUjmzpIP76GSepHKHInBN6nICqI
s Exit Fast Guard HSDir Running Stable V2Dir Valid
v Tor 0.4.6.0-alpha-dev
pr Cons=1-2 Desc=1-2 DirCache=1-2 FlowCtrl=1 HSDir=1-2 HSIntro=3-5 HSRend=1-2 Link=1-5 LinkAuth=1,3 Microdesc=1-2 Padding=2 Relay=1-3
w Bandwidth=1 Unmeasured=1
directory-footer
bandwidth-weights Wbd=3333 Wbe=0 Wbg=0 Wbm=10000 Wdb=10000 Web=10000 Wed=3333 Wee=10000 Weg=3333 Wem=10000 Wgb=10000 Wgd=3333 Wgg=10000 Wgm=10000 Wmb=10000 Wmd=3333 Wme=0 Wmg=0 Wmm=10000
directory-signature sha256 3E53F6F21D09BB0AD70324EB3FEF6C73D8743534 3BA78CCEE02433A6AE66BC977B36B32AB7764DF9
-----BEGIN SIGNATURE-----
aI0qmL4BXwiqro4oVFIkoNChYxssDlWjEteX8yiRZ4KLfNOHWxnLgUgJMMXoKEtn
HxYqlGGRABxvospy0lT7cWImnPyudkwncBEVw3VL4Lg0nq94CYLzTs7syeGrP5BO
BdKgwXWX3W5EnOsd23iCAP/NIBeaUjZa2UgULTRF48wKE0o3AhVih+TlJGv8kk8l
NQj9zAQ4A2cj/W8PyhtRCVEPKG68L2FJ2io4F9NVJzNc1bUKN6Ya95K9ClgFA1Eb
3B+Q5vwvJbf7Li9Ze9p5tuQ4L3blIctOrfNpy0iugeTdq2NnoV5BPqBuTcSTm7uE
OXYYJj/n7qufY/UZywJ5yg==
-----END SIGNATURE-----
directory-signature sha256 B4CEBF317867DF2772F5901C492152376C18710C 186F277FB9477ED228326AECDAFE2B043FD76A93
-----BEGIN SIGNATURE-----
bkzmmsJh2WqxqNVIe1iU87AUJ6+E7oIj/+TR0F1mpb6movW7Sdb5xpndzGw1LFLi
1E5+aTu7HVvJNrtoK23igbsKkpXPmrbOb4cFzOX6vD56ZdjpyISEmFjX/5G7E0kR
I+HSulRenSzvNkveScspBx3sVbBNN+1ns1xAduzIW0MaB76Nqku9SE9laNHxCB3a
Xp2ECODc2HqhVcap2QQj/k9l0V0txHYpNYGO8B6UkKswoy2agfr+KYPpmmPzEcPY
svO9Rj5/sTQAO4B32E0FGZoDdFbKr7vPS0vtJcTb/fZQRGPvXzgugICTS7Ew04DS
aYaEIyOVRoxCKCYTIxLQ1A==
-----END SIGNATURE-----
directory-signature sha256 BAF7E250984702BF0E03F25B4E3EC19DBA20FCD2 60B0593B105AA34956590243B80B69C1BA5259F9
-----BEGIN SIGNATURE-----
BDwOJKAT/c+tKc5EfOtrtB42g37K1+VzZ2RCq71kRGeserfU3b0b+6jNx8W9AQUF
P9I4mZcXfLPtjBFZoKFBUyaxIPp2aWdnQaCqs56QDvPzjnBG4/nS+MKrIzmeLE0q
XcSi8NJv8zcEBMqcUieA3XR0vxpWlsa0AmsvCRCwzRDm4UvkfVOUYZ2Xwj1SDFTS
41fmIIC2YX5UwZnEJZClhbz2glUpEbeKVan4d3AZIs0lRQO7+6IpYoJ8Ao5a9MR7
VOG9AdbCjP9WfOf/dLTfNN6biyvXdK5ANZvRPkRvsY6XiyO/byKkVSuP4IcnjoNX
jRYgNeWR8nccGSlo/Q40zw==
-----END SIGNATURE-----
`;

export const ARTI_DIFF = `network-status-diff-version 1
hash B03DA3ACA1D3C1D083E3FF97873002416EBD81A058B406D5C5946EAB53A79663 F6789F35B6B3BA58BB23D29E53A8ED6CBB995543DBE075DD5671481C4BA677FB
76,$d
75a
directory-signature sha256 3E53F6F21D09BB0AD70324EB3FEF6C73D8743534 3BA78CCEE02433A6AE66BC977B36B32AB7764DF9
-----BEGIN SIGNATURE-----
BsHsRfhEidhvHf8QNjAziSOslSAiLuL495bVNP59McW1+lB04G5RRyPFuKq6NqHf
Dax1451jWYC1ZHT+FnjTohuYJzlCh68O5YhdP21Ecbj8CoZ/edh3o+kJ2mrSbWzc
b1+CZhkixMRUWKSSRwEl6qO7HmeqMAWJLtBcDJPyo9nY6667HipWZLBE4wnM25dz
GcYtVZ3uoTAwpqjkgOYKcBHgzv5ut8O2huHAMmLZQoU0ROwCt1zMrgxhM2ojulPj
wZkcJDodYfKHx144VXhqd2HwA6yyqQ40Kd+Jfsp2cpsy1aykxiGjibldFjOo5RXK
cqWB9djTOAnrkVAo4V3myg==
-----END SIGNATURE-----
directory-signature sha256 B4CEBF317867DF2772F5901C492152376C18710C 186F277FB9477ED228326AECDAFE2B043FD76A93
-----BEGIN SIGNATURE-----
Dyt2mWX+u5UzQm7naQ3OtVG88hx2n4pqM4d61iAb/p5HPuIfC0MDe94TMaCxXR+S
Kh7ZEiHih7rdWWFrIv+p/jLezXwsEGjh7vd7Xlmt5KaYTCXyfgDvp9XrlHN7jHRP
KnAVH6W0syIXqsMTvUvD5VJByyGtKDdq+D2FT0q13Y2dDJLhCuzgIMD7kKJkkTeG
vOUtweWBsoLtrX3fBgA1X5BTdTOGnK3Jpeotshtg5z5I/ieNMsF5/MmYPn/qZQ21
ecRogFK5vJXGDtpkLdEwIGAKPsjzHvRc4UicCg3TthAKJZrraAIGtGs3B8h9jOhH
/HwOLF2GPSu76aNhYhpmiQ==
-----END SIGNATURE-----
directory-signature sha256 BAF7E250984702BF0E03F25B4E3EC19DBA20FCD2 60B0593B105AA34956590243B80B69C1BA5259F9
-----BEGIN SIGNATURE-----
s1Ba8ofWFG/buoqIRv1ZWSw9vfEnEu+jGujRJyIZGGaOmkFd4VeJIN2bizqaKbtt
ZqTYZzITOk/BNLW5FKOhOQMm9X2KRk8xvYNbKhwc79nEBEqwpZRDG9vrR9KWXDU5
bPv9vNZP4TLLpuOXxl/I4g4xrrLRcGtgyGIinml20DBTKCdczk412M2NKZy5p5pg
lwGytkMDAqVcnSmoA49lj4HQDS8AT/jANJ/YRGBMCRpcoSjccoWCyEauckUk1q8t
1tugjXi7KiO9i5kyZP8XWONyeLTUYGZcjX+1RJxnuzahQ31RlJC2SJY0PjWLQzAJ
TPvxWo9jaYy2+k1Nmq0uOg==
-----END SIGNATURE-----
.
73c
w Bandwidth=3 Unmeasured=1
.
65,70d
61,62c
w Bandwidth=4 Unmeasured=1
r test001a 8eUXcNFYY2EExHX9Ece8vM044Uk 2020-12-16 19:17:08 127.0.0.1 5001 7001
.
53,58d
38,50c
r test000a htyPQJ4CC2qhNCRR8OdmyLfP9b8 2020-12-16 19:17:06 127.0.0.1 5000 7000
.
25,32c
vote-digest 331731F33CBA81DE7431F7B4DB45B1354240E9A4
r test002a QtS+P906r9KsGtMpKkOowlK+Cls 2020-12-16 19:17:06 127.0.0.1 5002 7002
.
22c
vote-digest 40E60C52E1AAC2964BCDE8DB51895823C046909E
.
19c
vote-digest 3F516E98EC1E917D2D85F8CDC2367DC4FC9063BF
.
15,16d
4,6c
valid-after 2020-12-16 19:17:20
fresh-until 2020-12-16 19:17:40
valid-until 2020-12-16 19:18:00
.
`;

/** test_consdiff_gen_diff: two small documents, SHA3-256 of the first one's signed part and of the whole second. */
export const TOR_BASE =
  "network-status-version foo\nr name ccccccccccccccccc etc\nfoo\nr name eeeeeeeeeeeeeeeee etc\nbar\n" +
  "directory-signature foo bar\nbar\n";
export const TOR_BASE_DIGEST = "95D70F5A3CC65F920AA8B44C4563D7781A082674329661884E19E94B79D539C2";
export const TOR_TARGET =
  "network-status-version foo\nr name aaaaaaaaaaaaaaaaa etc\nfoo\nr name ccccccccccccccccc etc\nbar\n" +
  "directory-signature foo bar\nbar\n";
export const TOR_TARGET_DIGEST = "7AFECEFA4599BA33D603653E3D2368F648DF4AC4723929B0F7CF39281596B0C1";
export const TOR_SCRIPT =
  "6,$d\n3,4c\nbar\ndirectory-signature foo bar\n.\n1a\nr name aaaaaaaaaaaaaaaaa etc\nfoo\n.\n";

/** test_consdiff_apply_diff: TOR_BASE with its third line changed, and the SHA3-256 of that. */
export const TOR_SAMPLE_SCRIPT = "3c\nsample\n.\n";
export const TOR_SAMPLE_DIGEST = "90A418881B2FCAB3D9E60EE02E4D666D56CFA38F8A3B7AA3E0ADBA530DDA9353";

/** test_consdiff_apply_ed_diff: scripts for a document of the five lines A to E, and the lines that they make of it. */
export const TOR_ED_APPLIED: readonly (readonly [script: string, lines: string])[] = [
  ["3a\nU\nO\n.\n0a\nV\n.\n", "VABCUODE"],
  ["4d\n1,2d\n", "CE"],
  ["4c\nT\nX\n.\n1,2c\nM\n.\n", "MCTXE"],
  ["4c\nT\nX\n.\n2d\n0a\nM\n.\n", "MACTXE"],
];

const UNKNOWN = /something else than a known ed command/;
const CUT = /ends inside a command, a block or a line/;
const OUTSIDE = /outside what the commands before it left/;

/** The same: scripts for those five lines that are refused, and why. */
export const TOR_ED_REFUSED: readonly (readonly [script: string, reason: RegExp])[] = [
  ["a\n", UNKNOWN],
  ["1\n", UNKNOWN],
  ["1,\n", UNKNOWN],
  ["1,1\n", UNKNOWN],
  ["3,2\n", UNKNOWN],
  ["1,2a\n", /a range to append after/],
  ["1,$c\n", /in a command other than "d"/],
  ["1d\n3d\n", OUTSIDE],
  ["1foo\n", UNKNOWN],
  ["1e\n", UNKNOWN],
  ["0a\n", CUT],
  ["0a\n.\n", /inserts nothing/],
  ["0a\nhello\n", CUT],
  ["0, 4d\n", UNKNOWN],
  ["+0,4d\n", UNKNOWN],
  ["0,4d,5d\n", UNKNOWN],
  ["0,4 d\n", UNKNOWN],
  ["0,4 5d\n", UNKNOWN],
];

/** Tests of arti's crates/tor-consdiff/src/lib.rs: parse_command, apply_transformation and sort_order. */
export const ARTI_ED_REFUSED: readonly (readonly [script: string, reason: RegExp])[] = [
  ["hello world\n", UNKNOWN],
  ["\n\n", UNKNOWN],
  ["$,5d\n", UNKNOWN],
  ["5,6,8d\n", UNKNOWN],
  ["8,5d\n", /upside down/],
  ["6\n", UNKNOWN],
  ["d\n", UNKNOWN],
  ["-10d\n", UNKNOWN],
  ["4,$c\na\n.\n", /in a command other than "d"/],
  ["5,10p\n", UNKNOWN],
  ["18446744073709551615a\n", UNKNOWN],
  ["1,18446744073709551615d\n", UNKNOWN],
  ["100,200d\n", OUTSIDE],
  ["5,200d\n", OUTSIDE],
  ["0,1d\n", /line 0/],
  ["10,$d\n", /upside down or outside/],
  ["3,3d\n4,5d\n", OUTSIDE],
  ["3,3d\n4,4d\n", OUTSIDE],
  ["3,3d\n3,4d\n", OUTSIDE],
];
