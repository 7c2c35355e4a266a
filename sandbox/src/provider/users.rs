//! The people who can sign in: three by name and 9,999 by number, each with the name as password.

use super::random::same_secret;

/// The code that the login form accepts as second factor, for everyone.
pub const MFA_CODE: &str = "123456";

/// One user account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// What is typed into the login form.
    pub username: String,
    /// The stable, opaque subject of all tokens about this user.
    pub sub: String,
    /// First name.
    pub given_name: String,
    /// Last name.
    pub family_name: String,
    /// Address in a domain that delivers nowhere (RFC 2606).
    pub email: String,
    /// BCP 47 language tag.
    pub locale: String,
}

impl User {
    /// Finds a user by the name typed at login.
    #[must_use]
    pub fn by_username(username: &str) -> Option<Self> {
        let (given_name, family_name, locale) = match username {
            "alice" => ("Alice", "Anders", "en-GB"),
            "bob" => ("Bob", "Berger", "de-DE"),
            "carol" => ("Carol", "Caron", "fr-FR"),
            numbered => {
                let digits = numbered.strip_prefix("user")?;
                let number = digits.parse::<u16>().ok()?;
                // "user007" and "user+7" are not second names of user7.
                if !(1..=9_999).contains(&number) || number.to_string() != digits {
                    return None;
                }
                ("User", digits, "en-US")
            }
        };
        Some(Self {
            username: username.to_owned(),
            sub: format!("usr_{username}"),
            given_name: given_name.to_owned(),
            family_name: family_name.to_owned(),
            email: format!("{username}@example.com"),
            locale: locale.to_owned(),
        })
    }

    /// Finds a user by subject.
    #[must_use]
    pub fn by_sub(sub: &str) -> Option<Self> {
        Self::by_username(sub.strip_prefix("usr_")?)
    }

    /// Finds a user by subject or by username.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::by_username(name).or_else(|| Self::by_sub(name))
    }

    /// First and last name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
    }

    /// Whether `password` is this user's: it equals the username.
    #[must_use]
    pub fn has_password(&self, password: &str) -> bool {
        same_secret(&self.username, password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_one_username() {
        assert!(User::by_username("user17").is_some());
        assert!(User::by_username("user9999").is_some());
        for stranger in ["user0", "user10000", "user017", "user+1", "user", "mallory", ""] {
            assert_eq!(User::by_username(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn subject_and_username_lead_to_the_same_user() {
        assert_eq!(User::by_sub("usr_alice"), User::by_username("alice"));
        assert_eq!(User::find("usr_user17"), User::find("user17"));
    }
}
