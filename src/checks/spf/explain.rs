//! The explanation of a fail: what the domain would have its correspondents told. RFC 7208 §6.2.
//!
//! Whatever is wrong with it, the result stands and there is no explanation; it counts toward no
//! limit. Who shows it must say whose words they are.

use crate::checks::spf::Evaluation;
use crate::checks::spf::evaluate::{Evaluator, Halt};
use crate::checks::spf::macros::{Place, expand};
use crate::facts::{RecordType, TXT_MAX};

impl<'a> Evaluator<'_, '_, 'a> {
    /// The text, if the record that said fail names one and it is as it should be.
    pub(super) fn explanation(
        &mut self,
        evaluation: &Evaluation<'a>,
    ) -> Result<Option<String>, Halt> {
        let domain = evaluation.domain.as_str();
        let Some(target) = evaluation.explanation else {
            return Ok(None);
        };
        let Some(name) = self.target(Some(target), domain)? else {
            return Ok(None);
        };
        let answer = self.ask(&name, RecordType::Txt)?;
        let mut texts = answer.txt();
        match (texts.next(), texts.next()) {
            (Some(text), None) if text.len() < TXT_MAX => {
                expand(text, Place::Explanation, |letter| {
                    self.value(letter, domain)
                })
            }
            _ => Ok(None),
        }
    }
}
