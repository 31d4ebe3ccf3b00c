/** The core's export list. Every constant of the layout is an immutable global, so that the host can refuse a core built from another. */
export * from "./media";
export * from "./plan";
export * from "./verdicts";
export { coreInit } from "./tables";
export { crc32c, crc32cCombine, crc32cCopy, crc32cStandard } from "./crc32c";
export { metaFindNewest, metaSeal, metaSeqAfter, metaVerify, slotClassify } from "./meta";
export { superblockCheck, superblockInit, superblockMagic } from "./superblock";
export { infoCheck, infoFill, infoNext, infoType } from "./info";
export { ownerCheck, ownerFill, ownerSameChain, ownerSupersedes } from "./owner";
export { nameValid } from "./text";
export { logCursorEpoch, logCursorInit, logCursorSegment, logRecordSize, logSeal, logSealEpoch, logStep } from "./log";
export { logProof } from "./proof";
export { bitmapClear, bitmapCount, bitmapSet, bitmapTake, bitmapTest } from "./bitmap";
export { copyFromBio, copyToBio, segmentDataSize } from "./segment";
export { bvecLen } from "./bvec";
export { posAdvance, posRemain } from "./pos";
export { faultCount } from "./fault";
