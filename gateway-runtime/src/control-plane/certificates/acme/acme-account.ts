import { generateKeyPairSync } from 'node:crypto'
import type { AcmeAuthoritySettings } from '../../../config/acme-settings.ts'
import { readPem } from '../../../config/tls-files.ts'
import type { StoredAccount } from '../store/records.ts'
import { AcmeConnection, type AcmeDirectory, AcmeProblem, externalAccountBinding } from './acme-connection.ts'

/** Where the account is kept; `save` is rejected where this node may not write any more. */
export interface AccountKeeper {
  account(directory: string): StoredAccount | undefined
  save(directory: string, account: StoredAccount): Promise<void>
}

const isUnknownAccount = (error: unknown) =>
  error instanceof AcmeProblem && error.type.endsWith(':accountDoesNotExist')
const isRefused = (error: unknown) =>
  isUnknownAccount(error) || (error instanceof AcmeProblem && /:(unauthorized|malformed)$/.test(error.type))

/**
 * The account at one authority. Its key is written down before the authority hears of it, so that a crash leaves no
 * account that nobody has the key of: the same key gets the same account (RFC 8555 section 7.3.1).
 */
export class AcmeAccount {
  readonly #settings: AcmeAuthoritySettings
  #open: { readonly connection: AcmeConnection; readonly key: string } | undefined
  /** Orders go on side by side, and are all of one account: what one of them signs in by, the others wait for. */
  #signing: Promise<AcmeConnection> | undefined

  constructor(settings: AcmeAuthoritySettings) {
    this.#settings = settings
  }

  /** Does something as this account, which is made first where there is none, or where the authority knows it no more. */
  async use<Result>(
    keeper: AccountKeeper,
    act: (connection: AcmeConnection) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await act(await this.#once(() => this.#signIn(keeper)))
    } catch (error) {
      if (!isUnknownAccount(error)) throw error
      return act(await this.#once(() => this.#signUp(keeper)))
    }
  }

  /** What the authority says of itself; needs no account. */
  directory(): Promise<AcmeDirectory> {
    return (this.#open?.connection ?? this.#connect(newAccountKey(), undefined)).directory()
  }

  /** Puts a new key in the place of the one of the account (RFC 8555 section 7.3.5). */
  async rollOver(keeper: AccountKeeper): Promise<void> {
    const { directory } = this.#settings
    const connection = await this.use(keeper, async (open) => open)
    const { keyChange } = await connection.directory()
    if (keyChange === undefined) throw new Error('the authority does not take another key for an account')
    const known = keeper.account(directory)!
    const nextKey = newAccountKey()
    await keeper.save(directory, { ...known, nextKey })
    await connection.post(keyChange, await connection.keyChange(keyChange, nextKey))
    await keeper.save(directory, { key: nextKey, ...(known.url !== undefined && { url: known.url }) })
    this.#open = undefined
  }

  #once(sign: () => Promise<AcmeConnection>): Promise<AcmeConnection> {
    this.#signing ??= sign().finally(() => {
      this.#signing = undefined
    })
    return this.#signing
  }

  async #signIn(keeper: AccountKeeper): Promise<AcmeConnection> {
    const { directory } = this.#settings
    const known = keeper.account(directory)
    if (known?.url === undefined) return this.#signUp(keeper)
    if (known.nextKey !== undefined) await this.#settleKey(keeper, known, known.url, known.nextKey)
    const { key } = keeper.account(directory)!
    if (this.#open?.key !== key) this.#open = { key, connection: this.#connect(key, known.url) }
    return this.#open.connection
  }

  /** A change of keys was not seen to its end: the authority says whether it has happened. */
  async #settleKey(keeper: AccountKeeper, known: StoredAccount, url: string, nextKey: string): Promise<void> {
    const isChanged = await this.#connect(nextKey, url)
      .post(url)
      .then(
        () => true,
        (error) => {
          if (isRefused(error)) return false
          throw error
        },
      )
    await keeper.save(this.#settings.directory, { key: isChanged ? nextKey : known.key, url })
  }

  /** With the key of the account before, where there was one. */
  async #signUp(keeper: AccountKeeper): Promise<AcmeConnection> {
    const { directory, email, external_account_binding: binding } = this.#settings
    const key = keeper.account(directory)?.key ?? newAccountKey()
    await keeper.save(directory, { key })
    const connection = this.#connect(key, undefined)
    const { newAccount } = await connection.directory()
    const { location } = await connection.post(newAccount, {
      termsOfServiceAgreed: true,
      ...(email !== undefined && { contact: [`mailto:${email}`] }),
      ...(binding && {
        externalAccountBinding: await externalAccountBinding(
          newAccount,
          await connection.publicKey(),
          binding,
        ),
      }),
    })
    if (location === undefined) throw new Error('the authority gave the account no URL')
    connection.useAccount(location)
    await keeper.save(directory, { key, url: location })
    this.#open = { key, connection }
    return connection
  }

  #connect(key: string, account: string | undefined): AcmeConnection {
    const { directory, ca } = this.#settings
    return new AcmeConnection(directory, key, ca === undefined ? undefined : readPem('/', ca), account)
  }
}

const newAccountKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
