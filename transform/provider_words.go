package transform

import (
	"strconv"
	"strings"
)

// maxWords bounds what is passed on of a provider's words, in bytes.
const maxWords = 2 << 10

// OneLine makes a provider's words safe to pass on, short and one line.
func OneLine(words string) string {
	words = strings.ToValidUTF8(words[:min(len(words), 2*maxWords)], "")
	words = strings.Join(strings.Fields(Scrub(words)), " ")
	return strings.ToValidUTF8(words[:min(len(words), maxWords)], "")
}

// NoReason is the message of an error that came without one; status is 0 where
// it tells nothing.
func NoReason(status int) string {
	if status >= 400 {
		return "the provider answered with status " + strconv.Itoa(status) + " and no reason"
	}
	return "the provider answered with an error"
}

// OutOfMoney tells by an error's message, in lower case, whether the account
// behind the credential has no money left or may spend no more.
func OutOfMoney(message string) bool {
	return Mentions(message,
		"credit balance", "insufficient balance", "insufficient credit", "insufficient fund", "prepayment credits", "more credits",
		"out of credits", "have no credits", "have any credits", "all available credits", "credit limit",
		"spend limit", "spending limit", "spending cap", "out of call volume quota", "daily free allocation",
	)
}

// OfDays tells by an error's message, in lower case, whether a limit is over a
// day or more.
func OfDays(message string) bool {
	return Mentions(message, "tokens per day", "requests per day", "-per-day", "weekly usage limit", "daily usage limit", "monthly usage limit")
}

// Mentions tells whether one of the words is in a message.
func Mentions(message string, words ...string) bool {
	for _, word := range words {
		if strings.Contains(message, word) {
			return true
		}
	}
	return false
}
