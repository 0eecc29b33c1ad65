// The clients. Each has
//
//   name, modes      plain, stream and, where the SDK brings one, its helper
//   speaks           its format
//   direct           where the stand-in has the client's own format
//   ask(spec)        an answer, or, with tools, the whole loop
//   error(e)         what an error says: {status, kind, message, retryAfter, partial}
//   kinds            the words of its format for kinds of errors
//   overloaded       the status of an overloaded provider in its format
//   only             the features to test, where not all
//   countsReasoning  whether it tells tokens of reasoning apart
//   count, embed, models  where the SDK has them
import { openaiChat, openaiResponses } from './openai.mjs'
import { anthropic } from './anthropic.mjs'
import { genai } from './genai.mjs'
import { aiOpenAIChat, aiOpenAIResponses, aiOpenAIStored, aiAnthropic, aiGoogle } from './ai.mjs'
import Anthropic1 from '@anthropic-ai/sdk'
import { jsonSchemaOutputFormat as format1 } from '@anthropic-ai/sdk/helpers/json-schema'
import Anthropic0 from '@anthropic-ai/sdk-0'
import { jsonSchemaOutputFormat as format0 } from '@anthropic-ai/sdk-0/helpers/json-schema'

export const clients = [
  openaiChat,
  openaiResponses,
  anthropic('anthropic 1.x', Anthropic1, format1),
  anthropic('anthropic 0.x', Anthropic0, format0),
  genai,
  aiOpenAIChat,
  aiOpenAIResponses,
  aiOpenAIStored,
  aiAnthropic,
  aiGoogle,
]
