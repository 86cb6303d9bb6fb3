/*
 * What is used of @peculiar/x509, to be loaded where it is needed. Named here, for import() of a CommonJS module has no
 * names in a bundle.
 */
import './reflect-metadata.ts'

export {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  PemConverter,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
