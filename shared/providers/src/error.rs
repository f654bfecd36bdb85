//! What can be wrong with provider data.

/// Provider data or a registration that cannot be used; every sentence names the entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderDataError {
    /// Not TOML, an unknown key or value, or a missing one.
    #[error("The provider file cannot be read: {0}. Its keys are explained at the top of providers.toml.")]
    Syntax(String),
    /// One provider's data contradict themselves or another's.
    #[error("The provider `{id}` in the provider file is not usable: {problem}.")]
    Provider {
        /// Its id.
        id: String,
        /// What is wrong.
        problem: String,
    },
    /// The file with OAuth registrations is not TOML, or has an unknown, missing or wrong key.
    #[error(
        "The file with OAuth registrations cannot be read: {0}. Its keys are explained in docs/oauth.md."
    )]
    RegistrationFile(String),
    /// A registration that does not fit.
    #[error("The OAuth registration `{id}` is not usable: {problem}.")]
    Registration {
        /// Its id.
        id: String,
        /// What is wrong.
        problem: String,
    },
}
