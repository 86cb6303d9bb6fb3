import {
  type CertificateStoreSettings,
  encryptionKeysOf,
} from '../../../config/certificate-store-settings.ts'
import { AesGcmSeal, type EntrySeal, noSeal, sealVersion, versionOf } from './entry-seal.ts'

/** What encrypts the entries of a store, by its settings. The client of KMS is loaded where it is used. */
export async function openSeal(settings: CertificateStoreSettings): Promise<EntrySeal> {
  const keys = encryptionKeysOf(settings)
  const own = keys.length > 0 ? new AesGcmSeal(keys) : undefined
  if (!settings.kms) return settings.encryption_key === undefined ? noSeal : own!
  const [{ Kms }, { KmsSeal }] = await Promise.all([import('./kms.ts'), import('./kms-seal.ts')])
  const kms = new KmsSeal(new Kms(settings.kms))
  if (!own) return kms
  const closing = settings.encryption_key === undefined ? kms : own
  return {
    ready: () => closing.ready(),
    close: (name, text) => closing.close(name, text),
    unlock: (sealed) => kms.unlock(sealed),
    open: (name, sealed) => (versionOf(sealed) === sealVersion.kms ? kms : own).open(name, sealed),
  }
}
